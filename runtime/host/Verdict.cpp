//===- Verdict.cpp - why a run of several processes failed ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Verdict.h"

#include <algorithm>
#include <cstring>

using namespace tprt;

using Alarms = std::vector<const Notice *>;

/// "rank 2" or "ranks 0, 2, 3"; many are cut short.
static std::string nameRanks(const std::vector<int64_t> &ranks) {
  constexpr size_t most = 8;
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size() && i < most; ++i)
    text += join(i ? ", " : "", ranks[i]);
  if (ranks.size() > most)
    text += join(" and ", ranks.size() - most, " more");
  return text;
}

/// The first alarm for which `wanted` holds.
template <typename Wanted>
static const Notice *findAlarm(const Alarms &alarms, const Wanted &wanted) {
  for (const Notice *alarm : alarms)
    if (alarm && wanted(*alarm))
      return alarm;
  return nullptr;
}

/// Ranks in the same place, for ranks of the answering that are not `skipped`.
static std::string placesOf(const Alarms &alarms,
                            const std::vector<int64_t> &skipped) {
  constexpr size_t most = 4;
  std::vector<std::pair<std::string, std::vector<int64_t>>> places;
  for (const Notice *alarm : alarms) {
    if (!alarm ||
        std::find(skipped.begin(), skipped.end(), alarm->rank) != skipped.end())
      continue;
    std::string place = alarm->progress.describe();
    auto found =
        std::find_if(places.begin(), places.end(),
                     [&](const auto &other) { return other.first == place; });
    if (found == places.end()) {
      places.push_back({place, {}});
      found = places.end() - 1;
    }
    found->second.push_back(alarm->rank);
  }
  std::string text;
  for (size_t i = 0; i < places.size() && i < most; ++i)
    text +=
        join("; ", nameRanks(places[i].second),
             places[i].second.size() == 1 ? " is " : " are ", places[i].first);
  return text;
}

/// The last step that all who answer have completed.
static std::string lastCommonStep(const Alarms &alarms) {
  const Notice *least = nullptr;
  for (const Notice *alarm : alarms)
    if (alarm && (!least || alarm->progress.step < least->progress.step))
      least = alarm;
  if (!least || least->progress.step == 0)
    return "; no collective was completed by all";
  return join("; the last step completed by all is ", least->progress.step,
              ", ", least->progress.before);
}

static std::string ofErrors(const Alarms &alarms, const Notice &first) {
  if (first.cause == Notice::Error)
    return first.message;
  // What is wrong everywhere is not one rank's.
  const Notice *other = findAlarm(alarms, [&](const Notice &alarm) {
    return alarm.cause != first.cause ||
           std::strcmp(alarm.message, first.message) != 0;
  });
  bool isCommon = !other && std::find(alarms.begin(), alarms.end(), nullptr) ==
                                alarms.end();
  return isCommon ? first.message
                  : join("rank ", first.rank, ": ", first.message);
}

static std::string ofSilence(const Alarms &alarms,
                             const std::vector<int64_t> &silent) {
  return join(nameRanks(silent), silent.size() == 1 ? " does" : " do",
              " not answer: killed, stopped or cut off", placesOf(alarms, {}),
              lastCommonStep(alarms));
}

static std::string ofDelay(const Alarms &alarms, double timeout) {
  // Those that wait are not those that are waited for.
  std::vector<int64_t> late;
  for (const Notice *alarm : alarms)
    if (alarm->progress.phase == Progress::Host ||
        alarm->progress.phase == Progress::Computing)
      late.push_back(alarm->rank);
  if (late.empty())
    return join("the ranks wait for one another since ", timeout, " s",
                placesOf(alarms, {}), lastCommonStep(alarms));
  return join(nameRanks(late), late.size() == 1 ? " has" : " have",
              " let the others wait for ", timeout, " s, ",
              alarms[size_t(late.front())]->progress.describe(),
              placesOf(alarms, late), lastCommonStep(alarms));
}

Verdict tprt::conclude(const Alarms &alarms, double timeout) {
  Verdict verdict;
  std::vector<int64_t> silent;
  for (size_t rank = 0; rank < alarms.size(); ++rank)
    if (!alarms[rank])
      silent.push_back(int64_t(rank));
  if (const Notice *any = findAlarm(alarms, [](auto &) { return true; }))
    verdict.spokesman = any->rank;
  const Notice *error = findAlarm(alarms, [](const Notice &alarm) {
    return alarm.cause == Notice::Error || alarm.cause == Notice::HostError;
  });
  if (error) {
    verdict.status = tprt_status(error->status);
    verdict.message = ofErrors(alarms, *error);
  } else if (!silent.empty()) {
    verdict.message = ofSilence(alarms, silent);
  } else if (findAlarm(alarms, [](const Notice &alarm) {
               return alarm.cause == Notice::Waited;
             })) {
    verdict.message = ofDelay(alarms, timeout);
  } else {
    verdict.message = join("the launcher ended the run", placesOf(alarms, {}),
                           lastCommonStep(alarms));
  }
  return verdict;
}
