//===- LaunchTest.cpp - what the environment says of a launch -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "host/Launch.h"

#include <gtest/gtest.h>
#include <map>

using namespace tprt;

static Launch launchOf(const std::map<std::string, std::string> &variables) {
  return readLaunch([&](const char *name) {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

static std::string errorOf(const std::function<void()> &call) {
  try {
    call();
  } catch (const Error &error) {
    return error.what();
  }
  return "no error";
}

TEST(Launch, nobody) {
  Launch launch = launchOf({{"RANK", "3"}, {"SLURM_PROCID", "2"}});
  EXPECT_EQ(launch.launcher, "");
  EXPECT_EQ(launch.size, 1);
  EXPECT_EQ(launch.rank, 0);
}

TEST(Launch, mpirun) {
  std::map<std::string, std::string> variables = {
      {"OMPI_COMM_WORLD_SIZE", "8"},
      {"OMPI_COMM_WORLD_RANK", "5"},
      {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
      {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
      // An mpirun inside an allocation.
      {"SLURM_STEP_NUM_TASKS", "1"},
      {"SLURM_PROCID", "0"}};
  Launch launch = launchOf(variables);
  EXPECT_EQ(launch.launcher, "mpirun");
  EXPECT_EQ(launch.size, 8);
  EXPECT_EQ(launch.rank, 5);
  EXPECT_EQ(launch.localRank, 1);
  EXPECT_EQ(launch.localSize, 4);
}

TEST(Launch, srun) {
  Launch launch = launchOf({{"SLURM_STEP_NUM_TASKS", "4"},
                            {"SLURM_PROCID", "2"},
                            {"SLURM_LOCALID", "0"}});
  EXPECT_EQ(launch.launcher, "srun");
  EXPECT_EQ(launch.size, 4);
  EXPECT_EQ(launch.rank, 2);
  EXPECT_EQ(launch.masterAddress, "");
  // Over TCP, if there is nothing that MPI meets by.
  std::map<std::string, std::string> variables = {{"SLURM_STEP_NUM_TASKS", "4"},
                                                  {"SLURM_PROCID", "2"},
                                                  {"MASTER_ADDR", "node0"},
                                                  {"MASTER_PORT", "29500"}};
  EXPECT_EQ(launchOf(variables).masterAddress, "node0");
  EXPECT_EQ(launchOf(variables).masterPort, 29500);
  for (const char *manager : {"PMIX_RANK", "PMI_RANK", "PMI_FD"}) {
    auto managed = variables;
    managed[manager] = "2";
    EXPECT_EQ(launchOf(managed).masterAddress, "") << manager;
  }
  // A torchrun on each machine of a step.
  variables["WORLD_SIZE"] = "32";
  variables["RANK"] = "17";
  EXPECT_EQ(launchOf(variables).launcher, "torchrun");
  EXPECT_EQ(launchOf(variables).rank, 17);
  // A batch script is no task of a step.
  EXPECT_EQ(launchOf({{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}).size, 1);
}

TEST(Launch, mpiexec) {
  Launch launch = launchOf({{"PMI_SIZE", "2"}, {"PMI_RANK", "1"}});
  EXPECT_EQ(launch.launcher, "mpiexec");
  EXPECT_EQ(launch.size, 2);
  EXPECT_EQ(launch.rank, 1);
}

TEST(Launch, torchrun) {
  std::map<std::string, std::string> variables = {
      {"WORLD_SIZE", "4"},      {"RANK", "3"},
      {"LOCAL_RANK", "1"},      {"LOCAL_WORLD_SIZE", "2"},
      {"MASTER_ADDR", "node0"}, {"MASTER_PORT", "29500"}};
  Launch launch = launchOf(variables);
  EXPECT_EQ(launch.launcher, "torchrun");
  EXPECT_EQ(launch.size, 4);
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.localRank, 1);
  EXPECT_EQ(launch.localSize, 2);
  EXPECT_EQ(launch.masterAddress, "node0");
  EXPECT_EQ(launch.masterPort, 29500);
  // RANK and WORLD_SIZE alone could be anybody's.
  variables.erase("MASTER_ADDR");
  EXPECT_EQ(launchOf(variables).size, 1);
}

TEST(Launch, errors) {
  EXPECT_EQ(errorOf([] {
              launchOf({{"OMPI_COMM_WORLD_SIZE", "four"},
                        {"OMPI_COMM_WORLD_RANK", "0"}});
            }),
            "the environment's OMPI_COMM_WORLD_SIZE is 'four', and not a "
            "number");
  EXPECT_EQ(errorOf([] { launchOf({{"PMI_SIZE", "2"}, {"PMI_RANK", "2"}}); }),
            "the environment's PMI_RANK is 2, but PMI_SIZE is 2");
  EXPECT_NE(errorOf([] { launchOf({{"PMI_SIZE", "2"}, {"PMI_RANK", "-1"}}); }),
            "no error");
}

TEST(Launch, meshes) {
  EXPECT_EQ(resolveMesh("dp=*,tp=2", 8), "dp=4,tp=2");
  EXPECT_EQ(resolveMesh("dp=2,tp=*,pp=3", 24), "dp=2,tp=4,pp=3");
  EXPECT_EQ(resolveMesh("tp=*", 1), "tp=1");
  EXPECT_EQ(resolveMesh("dp=2,tp=2", 4), "dp=2,tp=2");
  EXPECT_EQ(resolveMesh("", 4), "");
  // For the parser of meshes to say what is wrong.
  for (const char *text : {"tp", "=3", "tp=", "tp=0", "tp=-1", "tp=3,", "tp=x",
                           "tp=99999999999999999999"})
    EXPECT_EQ(resolveMesh(text, 4), text);
}

TEST(Launch, meshErrors) {
  EXPECT_EQ(errorOf([] { resolveMesh("dp=*,tp=3", 4); }),
            "mesh 'dp=*,tp=3': 4 processes do not divide by 3; what works is "
            "3, 6, 9, ... processes, or tp=1 or 2 or 4");
  EXPECT_EQ(errorOf([] { resolveMesh("dp=*,tp=*", 4); }),
            "mesh 'dp=*,tp=*': only one size can be '*'");
  EXPECT_EQ(errorOf([] { resolveMesh("dp=2,tp=4", 4); }),
            "mesh 'dp=2,tp=4' has 8 ranks, but there are 4 processes; what "
            "works is 8 processes, or the mesh dp=2,tp=*");
  EXPECT_EQ(errorOf([] { resolveMesh("tp=2", 1); }),
            "mesh 'tp=2' has 2 ranks, but there is 1 process; what works is 2 "
            "processes, or the mesh tp=*");
  EXPECT_EQ(errorOf([] { resolveMesh("dp=*,tp=3,sp=5", 4); }),
            "mesh 'dp=*,tp=3,sp=5': 4 processes do not divide by 15; what "
            "works is 15, 30, 45, ... processes");
  EXPECT_NE(
      errorOf([] { resolveMesh("a=999999999,b=999999999,c=999999999", 4); }),
      "no error");
}
