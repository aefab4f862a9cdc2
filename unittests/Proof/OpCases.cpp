//===- OpCases.cpp - small programs of one op -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "OpCases.h"
#include "llvm/ADT/StringRef.h"

using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

/// Puts cases into a list; types are separated by ';'.
class CaseWriter {
public:
  /// An op whose text ends with its functional type: "nn.reduce %0 ...".
  void add(const std::string &name, const std::string &body,
           llvm::StringRef operands, llvm::StringRef results, int low = -4,
           int high = 4) {
    std::string types =
        "(" + listed(operands) + ") -> (" + listed(results) + ")";
    if (!results.contains(';'))
      types = "(" + listed(operands) + ") -> " + results.str();
    addText(name, body + " : " + types, operands, results, low, high);
  }

  /// An elementwise op on two shapes, of which no common mesh divides one.
  void elementwise(const std::string &op, int arity,
                   const std::string &operand = "f32",
                   const std::string &result = "", int low = -4, int high = 4,
                   const std::string &attribute = "") {
    std::string from = "tensor<5x6x" + operand + ">";
    std::string to = "tensor<5x6x" + (result.empty() ? operand : result) + ">";
    std::string operands = from, names = "%0";
    for (int i = 1; i < arity; ++i) {
      operands += ";" + from;
      names += ", %" + std::to_string(i);
    }
    addText("",
            op + " " + attribute + names + " : " + from +
                (result.empty() ? "" : " to " + to),
            operands, to, low, high);
  }

  /// An op whose text is complete.
  void addText(const std::string &name, const std::string &body,
               llvm::StringRef operands, llvm::StringRef results, int low = -4,
               int high = 4) {
    std::string arguments, values;
    size_t number = 0;
    llvm::SmallVector<llvm::StringRef> parts;
    if (!operands.empty())
      operands.split(parts, ';');
    for (llvm::StringRef type : parts) {
      arguments +=
          (number ? ", %" : "%") + std::to_string(number) + ": " + type.str();
      ++number;
    }
    size_t count = results.count(';') + 1;
    for (size_t i = 0; i < count; ++i)
      values += (i ? ", %r#" : "%r#") + std::to_string(i);
    std::string text = "func.func @f(" + arguments + ") -> (" +
                       listed(results) + ") {\n  %r:" + std::to_string(count) +
                       " = " + body + "\n  return " + values + " : " +
                       listed(results) + "\n}\n";
    cases.push_back({body.substr(0, body.find(' ')), name, text, low, high});
  }

  std::vector<OpCase> cases;

private:
  static std::string listed(llvm::StringRef types) {
    std::string text;
    for (char c : types)
      text += c == ';' ? std::string(", ") : std::string(1, c);
    return text;
  }
};

} // namespace

static void addElementwise(CaseWriter &write) {
  for (const char *op :
       {"addf", "subf", "mulf", "maximumf", "minimumf", "maxnumf", "minnumf"})
    write.elementwise(std::string("arith.") + op, 2);
  for (const char *op : {"divf", "remf"})
    write.elementwise(std::string("arith.") + op, 2, "f32", "", 1, 4);
  for (const char *op : {"addi", "subi", "muli", "maxsi", "minsi"})
    write.elementwise(std::string("arith.") + op, 2, "i32");
  for (const char *op : {"divsi", "remsi"})
    write.elementwise(std::string("arith.") + op, 2, "i32", "", 1, 4);
  for (const char *op : {"andi", "ori", "xori"}) {
    write.elementwise(std::string("arith.") + op, 2, "i1");
    write.elementwise(std::string("arith.") + op, 2, "i32", "", 0, 7);
  }
  write.elementwise("arith.negf", 1);
  write.elementwise("arith.extf", 1, "bf16", "f32");
  write.elementwise("arith.truncf", 1, "f32", "bf16");
  write.elementwise("arith.sitofp", 1, "i32", "f32");
  write.elementwise("arith.fptosi", 1, "f32", "i32");
  write.elementwise("arith.extsi", 1, "i32", "i64");
  write.elementwise("arith.extui", 1, "i1", "i32");
  write.elementwise("arith.uitofp", 1, "i1", "f32");
  write.elementwise("arith.trunci", 1, "i64", "i32");
  for (const char *op :
       {"exp", "tanh", "sin", "cos", "absf", "erf", "floor", "ceil"})
    write.elementwise(std::string("math.") + op, 1);
  for (const char *op : {"log", "sqrt", "rsqrt"})
    write.elementwise(std::string("math.") + op, 1, "f32", "", 1, 9);
  write.elementwise("math.powf", 2, "f32", "", 1, 3);
  std::string f = "tensor<5x6xf32>", i = "tensor<5x6xi32>",
              b = "tensor<5x6xi1>";
  for (const char *predicate : {"olt", "oge", "une"})
    write.addText(predicate,
                  std::string("arith.cmpf ") + predicate + ", %0, %1 : " + f,
                  f + ";" + f, b);
  for (const char *predicate : {"eq", "sle", "sgt"})
    write.addText(predicate,
                  std::string("arith.cmpi ") + predicate + ", %0, %1 : " + i,
                  i + ";" + i, b);
  write.addText("", "arith.select %0, %1, %2 : " + b + ", " + f,
                b + ";" + f + ";" + f, f);
  write.addText("splat", "arith.constant dense<3.0> : " + f, "", f);
  write.addText("whole",
                "arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, "
                "8.0]]> : tensor<2x4xf32>",
                "", "tensor<2x4xf32>");
}

static void addReductions(CaseWriter &write) {
  write.add("linear", "nn.contract %0, %1 \"bsk,nk->bsn\"",
            "tensor<2x3x5xf32>;tensor<4x5xf32>", "tensor<2x3x4xf32>");
  write.add("batch", "nn.contract %0, %1 \"bmk,nbk->mbn\"",
            "tensor<2x3x6xf32>;tensor<5x2x6xf32>", "tensor<3x2x5xf32>");
  write.add("two reduced", "nn.contract %0, %1 \"shd,nhd->sn\"",
            "tensor<3x2x4xf32>;tensor<5x2x4xf32>", "tensor<3x5xf32>");
  write.add("outer", "nn.contract %0, %1 \"i,j->ij\"",
            "tensor<5xf32>;tensor<6xf32>", "tensor<5x6xf32>");
  for (const char *kind : {"sum", "max", "min", "product"}) {
    std::string reduce = std::string("nn.reduce %0 \"") + kind + "\" dims ";
    write.add(std::string(kind) + " of one", reduce + "[1]", "tensor<3x5xf32>",
              "tensor<3xf32>", -2, 2);
    write.add(std::string(kind) + " of two", reduce + "[0, 2]",
              "tensor<5x2x4xf32>", "tensor<2xf32>", -2, 2);
  }
  write.addText("", "nn.cumulative_sum %0 dim 1 : tensor<5x7xf32>",
                "tensor<5x7xf32>", "tensor<5x7xf32>");
  write.addText("exclusive",
                "nn.cumulative_sum %0 dim 0 exclusive : tensor<4x6xbf16>",
                "tensor<4x6xbf16>", "tensor<4x6xbf16>");
}

static void addLayout(CaseWriter &write) {
  write.add("split", "nn.reshape %0", "tensor<3x24xf32>", "tensor<3x4x6xf32>");
  write.add("split in three", "nn.reshape %0", "tensor<24xf32>",
            "tensor<2x3x4xf32>");
  write.add("merge", "nn.reshape %0", "tensor<5x4x6xf32>", "tensor<5x24xf32>");
  write.add("ones", "nn.reshape %0", "tensor<1x6x1x5xf32>",
            "tensor<6x1x5xf32>");
  write.add("across", "nn.reshape %0", "tensor<4x6xf32>", "tensor<3x8xf32>");
  write.add("", "nn.transpose %0 [2, 0, 1]", "tensor<2x5x6xf32>",
            "tensor<6x2x5xf32>");
  write.add("", "nn.broadcast %0 dims [0, 2]", "tensor<5x6xf32>",
            "tensor<5x4x6xf32>");
  write.add("of a scalar", "nn.broadcast %0 dims []", "tensor<f32>",
            "tensor<5x4xf32>");
  write.add("", "nn.slice %0 offsets [0, 1] strides [1, 2]", "tensor<5x8xf32>",
            "tensor<5x3xf32>");
  write.add("first", "nn.slice %0 offsets [0, 0] strides [1, 1]",
            "tensor<5x8xf32>", "tensor<5x4xf32>");
  write.add("", "nn.concat %0, %1 dim 1", "tensor<5x4xf32>;tensor<5x2xf32>",
            "tensor<5x6xf32>");
  write.add("zero", "nn.pad %0 low [0, 1] high [0, 2] value 0.0",
            "tensor<5x3xf32>", "tensor<5x6xf32>");
  write.add("not zero", "nn.pad %0 low [0, 1] high [0, 2] value 7.0",
            "tensor<5x3xf32>", "tensor<5x6xf32>");
  write.addText("", "nn.iota dim 1 : tensor<4x5xi32>", "", "tensor<4x5xi32>");
  write.addText("first", "nn.iota dim 0 : tensor<6x3xi64>", "",
                "tensor<6x3xi64>");
  write.addText("",
                "nn.boundary %0 \"output\" \"0\" of \"m\" : "
                "tensor<5x6xf32>",
                "tensor<5x6xf32>", "tensor<5x6xf32>");
  write.addText("closed",
                "tp.constraint %0 to <@mesh, [{}, {}]> : tensor<5x6xf32>",
                "tensor<5x6xf32>", "tensor<5x6xf32>");
  write.addText("open",
                "tp.constraint %0 to <@mesh, [{?}, {?}]> : tensor<5x6xf32>",
                "tensor<5x6xf32>", "tensor<5x6xf32>");
  write.addText("sharded",
                "tp.constraint %0 to <@mesh, [{}, {\"x\"}]> : tensor<4x5xf32>",
                "tensor<4x5xf32>", "tensor<4x5xf32>");
}

static void addGathers(CaseWriter &write) {
  write.add("", "nn.take %0, %1 dim 1", "tensor<4x5x6xf32>;tensor<i32>",
            "tensor<4x6xf32>", 0, 4);
  write.add("", "nn.embedding %0, %1", "tensor<2x3xi32>;tensor<7x5xf32>",
            "tensor<2x3x5xf32>", 0, 6);
  write.add("even", "nn.embedding %0, %1", "tensor<5xi32>;tensor<12x4xf32>",
            "tensor<5x4xf32>", 0, 11);
  write.add("", "nn.embedding_gradient %0, %1",
            "tensor<2x3xi32>;tensor<2x3x5xf32>", "tensor<7x5xf32>", 0, 6);
  write.add("even", "nn.embedding_gradient %0, %1",
            "tensor<5xi32>;tensor<5x4xf32>", "tensor<12x4xf32>", 0, 11);
  write.add("", "nn.gather %0, %1", "tensor<5x3xi32>;tensor<5x4x6xf32>",
            "tensor<5x3x6xf32>", 0, 3);
  write.add("one table", "nn.gather %0, %1", "tensor<4x3xi32>;tensor<5x2xf32>",
            "tensor<4x3x2xf32>", 0, 4);
  write.add("two batch dims", "nn.gather %0, %1",
            "tensor<2x3xi32>;tensor<2x3x4x5xf32>", "tensor<2x3x5xf32>", 0, 3);
  write.add("", "nn.scatter_add %0, %1", "tensor<5x3xi32>;tensor<5x3x6xf32>",
            "tensor<5x4x6xf32>", 0, 3);
  write.add("one table", "nn.scatter_add %0, %1",
            "tensor<4x3xi32>;tensor<4x3x2xf32>", "tensor<5x2xf32>", 0, 4);
  write.add("", "nn.cache_update %0, %1 at %2 length %3",
            "tensor<2x5x3xf32>;tensor<2x3x3xf32>;tensor<i32>;tensor<i32>",
            "tensor<2x5x3xf32>", 0, 2);
  write.add("even", "nn.cache_update %0, %1 at %2 length %3",
            "tensor<1x12x2xf32>;tensor<1x5x2xf32>;tensor<i32>;tensor<i32>",
            "tensor<1x12x2xf32>", 4, 5);
}

static void addCrossEntropies(CaseWriter &write) {
  std::string op = "nn.cross_entropy %0, %1 ";
  std::string even = "tensor<5x12xf32>;tensor<5xi32>";
  std::string uneven = "tensor<2x3x5xf32>;tensor<2x3xi32>";
  write.add("mean", op + "reduction \"mean\"", uneven, "tensor<f32>", 0, 4);
  write.add("mean, ignored",
            op + "ignore_index -1 label_smoothing 0.25 reduction \"mean\"",
            even, "tensor<f32>", -1, 3);
  write.add("sum, ignored", op + "ignore_index 1 reduction \"sum\"", even,
            "tensor<f32>", 0, 4);
  write.add("weights", op + "weights %2 label_smoothing 0.25",
            uneven + ";tensor<5xf32>", "tensor<2x3xf32>", 0, 4);
  write.add("weights, mean",
            op + "weights %2 ignore_index 2 reduction \"mean\"",
            even + ";tensor<12xf32>", "tensor<f32>", 1, 4);
  write.add("weights, smoothed, mean",
            op + "weights %2 label_smoothing 0.5 reduction \"mean\"",
            uneven + ";tensor<5xf32>", "tensor<f32>", 1, 4);
  write.add("probabilities", op, "tensor<4x5xf32>;tensor<4x5xf32>",
            "tensor<4xf32>", 0, 4);
  write.add("probabilities, weights, mean",
            op + "weights %2 label_smoothing 0.25 reduction \"mean\"",
            "tensor<2x3x6xf32>;tensor<2x3x6xbf16>;tensor<6xf32>", "tensor<f32>",
            0, 4);
}

static void addComposites(CaseWriter &write) {
  write.add("", "nn.rms_norm %0, %1 epsilon 1.0e-2",
            "tensor<4x5xf32>;tensor<5xf32>", "tensor<4x5xf32>");
  write.add("even", "nn.rms_norm %0, %1 epsilon 1.0e-2",
            "tensor<3x2x12xf32>;tensor<12xf32>", "tensor<3x2x12xf32>");
  write.add("two dims", "nn.rms_norm %0, %1 epsilon 1.0e-2",
            "tensor<2x5x6xf32>;tensor<5x6xf32>", "tensor<2x5x6xf32>");
  write.add("half", "nn.rms_norm %0, %1 epsilon 1.0e-2",
            "tensor<3x6xbf16>;tensor<6xbf16>", "tensor<3x6xbf16>");
  write.addText("", "nn.softmax %0 dim 1 : tensor<4x5xf32>", "tensor<4x5xf32>",
                "tensor<4x5xf32>");
  write.addText("first", "nn.softmax %0 dim 0 : tensor<12x3xbf16>",
                "tensor<12x3xbf16>", "tensor<12x3xbf16>");
  write.add("", "nn.cross_entropy %0, %1", "tensor<2x3x5xf32>;tensor<2x3xi32>",
            "tensor<2x3xf32>", 0, 4);
  write.add("ignored",
            "nn.cross_entropy %0, %1 ignore_index -1 label_smoothing 0.25",
            "tensor<5x12xbf16>;tensor<5xi32>", "tensor<5xf32>", -1, 11);
  addCrossEntropies(write);
  write.add("", "nn.rotary %0, %1, %2",
            "tensor<2x5x3x4xf32>;tensor<5x2xf32>;tensor<5x2xf32>",
            "tensor<2x5x3x4xf32>");
  write.add("partly", "nn.rotary %0, %1, %2 interleaved",
            "tensor<2x4x5xf32>;tensor<4x2xf32>;tensor<4x2xf32>",
            "tensor<2x4x5xf32>");
  std::string q = "tensor<2x3x4x3x2xf32>", kv = "tensor<2x5x4x2xf32>";
  write.add("", "nn.attention %0, %1, %2 scale 0.25", q + ";" + kv + ";" + kv,
            q);
  write.add("causal", "nn.attention %0, %1, %2 at %3 scale 0.25 causal",
            q + ";" + kv + ";" + kv + ";tensor<i32>", q, 0, 2);
  write.add("window",
            "nn.attention %0, %1, %2 scale 0.25 causal window 2 soft_cap 3.0",
            q + ";" + kv + ";" + kv, q);
  std::string even = "tensor<1x6x2x1x2xf32>", evenKeys = "tensor<1x12x2x2xf32>";
  write.add("even", "nn.attention %0, %1, %2 at %3 scale 0.25 causal window 4",
            even + ";" + evenKeys + ";" + evenKeys + ";tensor<i32>", even, 0,
            6);
  write.add("", "nn.top_k %0 k 2", "tensor<3x7xf32>",
            "tensor<3x2xf32>;tensor<3x2xi32>", -9, 9);
  write.add("even", "nn.top_k %0 k 1", "tensor<12xf32>",
            "tensor<1xf32>;tensor<1xi32>", -9, 9);
  write.add("ids", "nn.top_k %0 ids %1 k 2", "tensor<3x6xf32>;tensor<3x6xi32>",
            "tensor<3x2xf32>;tensor<3x2xi32>", 0, 5);
  write.add("segments", "nn.top_k %0 k 1 segments 6", "tensor<3x12xf32>",
            "tensor<3x6xf32>;tensor<3x6xi32>", -9, 9);
}

std::vector<OpCase> proof::makeOpCases() {
  CaseWriter write;
  addElementwise(write);
  addReductions(write);
  addLayout(write);
  addGathers(write);
  addComposites(write);
  return std::move(write.cases);
}
