//===- Html.cpp - a report as one page for a browser ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The page, its style and its script are files of their own in Html/; what they
// show is the report as JSON, with graphs.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Html.h"
#include "Summary.h"

using namespace mlir;
using namespace mlir::tp;

#include "Html.inc"

/// JSON that no end of a script stands in.
static void printData(const Report &report, llvm::raw_ostream &os) {
  std::string text;
  llvm::raw_string_ostream json(text);
  printJsonData(report, json, /*indent=*/0, /*withGraphs=*/true);
  for (char c : text)
    if (c == '<')
      os << "\\u003c";
    else
      os << c;
}

void tp::printHtml(const Report &report, llvm::raw_ostream &os) {
  StringRef rest(pageHtml);
  while (!rest.empty()) {
    size_t at = rest.find('@');
    os << rest.take_front(at);
    rest = at == StringRef::npos ? StringRef() : rest.drop_front(at);
    if (rest.consume_front("@style@\n"))
      os << StringRef(pageCss);
    else if (rest.consume_front("@script@\n"))
      os << StringRef(pageJs);
    else if (rest.consume_front("@data@"))
      printData(report, os);
    else if (!rest.empty()) {
      os << '@';
      rest = rest.drop_front();
    }
  }
}
