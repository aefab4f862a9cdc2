//===- Json.cpp - reading JSON that people give ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Support/Json.h"

using namespace mlir;
using namespace mlir::tp;

bool tp::isNestedTooDeep(StringRef json) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (inString) {
      if (c == '\\')
        ++i;
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '{' || c == '[') {
      if (++depth > 64)
        return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

llvm::Expected<llvm::json::Value> tp::parseJson(StringRef json) {
  if (isNestedTooDeep(json))
    return llvm::createStringError("nested too deeply");
  return llvm::json::parse(json);
}
