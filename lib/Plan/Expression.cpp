//===- Expression.cpp - styles as they are written in Python --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/Expression.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::tp;

static constexpr size_t kMaxDepth = 16, kMaxLength = 4096;

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

/// In the quotes that it does not have: there are no escapes.
static void printQuoted(llvm::raw_ostream &os, StringRef text) {
  StringRef quote = text.contains('"') ? "'" : "\"";
  os << quote << text << quote;
}

static void print(llvm::raw_ostream &os, const Expression &expression) {
  auto printParts = [&] {
    llvm::interleaveComma(expression.arguments, os,
                          [&](const Expression &part) { print(os, part); });
    if (!expression.arguments.empty() && !expression.keywords.empty())
      os << ", ";
    bool isCall = expression.kind == Expression::Call;
    auto printKeyword = [&](const Expression::Keyword &keyword) {
      if (isCall) {
        os << keyword.name << "=";
      } else {
        printQuoted(os, keyword.name);
        os << ": ";
      }
      print(os, keyword.value);
    };
    llvm::interleaveComma(expression.keywords, os, printKeyword);
  };
  switch (expression.kind) {
  case Expression::None:
    os << "None";
    return;
  case Expression::Boolean:
    os << (expression.integer ? "True" : "False");
    return;
  case Expression::Integer:
    os << expression.integer;
    return;
  case Expression::String:
    printQuoted(os, expression.text);
    return;
  case Expression::Name:
    os << expression.text;
    return;
  case Expression::Call:
    os << expression.text << "(";
    printParts();
    os << ")";
    return;
  case Expression::Sequence:
    os << "(";
    printParts();
    os << (expression.arguments.size() == 1 ? ",)" : ")");
    return;
  case Expression::Dictionary:
    os << "{";
    printParts();
    os << "}";
    return;
  }
}

std::string Expression::str() const {
  std::string result;
  llvm::raw_string_ostream os(result);
  print(os, *this);
  return result;
}

static std::string describePosition(StringRef source, size_t position) {
  return (" (column " + Twine(position + 1) + " of '" + source + "')").str();
}

std::string Expression::where() const {
  return source.empty() ? std::string() : describePosition(source, position);
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {

class Parser {
public:
  Parser(StringRef text, function_ref<InFlightDiagnostic()> emitError)
      : text(text), emitError(emitError) {}

  FailureOr<Expression> run() {
    if (text.size() > kMaxLength)
      return emitError() << "a style of more than " << kMaxLength
                         << " characters";
    Expression result;
    if (failed(parse(result)))
      return failure();
    // "Shard(1), None" is a tuple, as in Python.
    if (peek() == ',') {
      Expression tuple = start(Expression::Sequence);
      tuple.position = result.position;
      tuple.arguments.push_back(std::move(result));
      while (consume(',') && peek()) {
        tuple.arguments.emplace_back();
        if (failed(parse(tuple.arguments.back())))
          return failure();
      }
      result = std::move(tuple);
    }
    if (peek())
      return fail("expected nothing more");
    return result;
  }

private:
  /// The next character that is no blank; 0 at the end.
  char peek() {
    while (at < text.size() && llvm::isSpace(text[at]))
      ++at;
    return at < text.size() ? text[at] : '\0';
  }

  bool consume(char c) {
    if (peek() != c)
      return false;
    ++at;
    return true;
  }

  LogicalResult fail(const Twine &expected) {
    peek();
    InFlightDiagnostic error = emitError() << expected << " but found ";
    if (at == text.size())
      error << "the end";
    else
      error << "'" << text.substr(at, 1) << "'";
    return error << describePosition(text, at);
  }

  Expression start(Expression::Kind kind) {
    Expression expression;
    expression.kind = kind;
    expression.source = text.str();
    expression.position = at;
    return expression;
  }

  LogicalResult parse(Expression &result) {
    if (++depth > kMaxDepth)
      return emitError() << "nested too deeply for a style"
                         << describePosition(text, at);
    LogicalResult parsed = parseOne(result);
    --depth;
    return parsed;
  }

  LogicalResult parseOne(Expression &result) {
    char c = peek();
    if (c == '(' || c == '[')
      return parseSequence(result, c == '(' ? ')' : ']');
    if (c == '{')
      return parseDictionary(result);
    if (c == '"' || c == '\'') {
      result = start(Expression::String);
      return parseString(result.text);
    }
    if (c == '-' || c == '+' || llvm::isDigit(c))
      return parseInteger(result);
    if (llvm::isAlpha(c) || c == '_')
      return parseName(result);
    return fail("expected a style, a layout or a value");
  }

  LogicalResult parseString(std::string &result) {
    char quote = text[at++];
    size_t end = text.find(quote, at);
    if (end == StringRef::npos) {
      at = text.size();
      return fail("expected the closing quote");
    }
    StringRef content = text.slice(at, end);
    if (size_t escape = content.find('\\'); escape != StringRef::npos) {
      at += escape;
      return fail("expected a name without escapes");
    }
    result = content.str();
    at = end + 1;
    return success();
  }

  LogicalResult parseInteger(Expression &result) {
    result = start(Expression::Integer);
    bool isNegative = text[at] == '-';
    if (isNegative || text[at] == '+')
      ++at;
    peek();
    StringRef digits = text.drop_front(at).take_while(llvm::isDigit);
    if (digits.empty() || digits.getAsInteger(10, result.integer))
      return fail("expected a whole number of 64 bits");
    at += digits.size();
    if (isNegative)
      result.integer = -result.integer;
    return success();
  }

  /// A name; empty where there is none.
  StringRef word() {
    StringRef rest = text.drop_front(at);
    if (!rest.empty() && llvm::isDigit(rest.front()))
      return StringRef();
    StringRef result =
        rest.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
    at += result.size();
    return result;
  }

  /// A name, perhaps dotted (`torch.distributed.tensor.Shard`), perhaps called.
  LogicalResult parseName(Expression &result) {
    result = start(Expression::Name);
    result.text = word().str();
    while (consume('.')) {
      peek();
      StringRef part = word();
      if (part.empty())
        return fail("expected a name after the dot");
      result.text = part.str();
    }
    if (result.text == "None") {
      result.kind = Expression::None;
    } else if (result.text == "True" || result.text == "False") {
      result.kind = Expression::Boolean;
      result.integer = result.text == "True";
    } else if (consume('(')) {
      result.kind = Expression::Call;
      return parseArguments(result);
    }
    return success();
  }

  /// After the opening parenthesis.
  LogicalResult parseArguments(Expression &call) {
    while (!consume(')')) {
      size_t begin = (peek(), at);
      StringRef name = word();
      if (!name.empty() && consume('=')) {
        for (const Expression::Keyword &other : call.keywords)
          if (other.name == name) {
            at = begin;
            return fail("expected '" + name + "' once");
          }
        call.keywords.push_back({name.str(), {}});
        if (failed(parse(call.keywords.back().value)))
          return failure();
      } else {
        at = begin;
        if (!call.keywords.empty() && peek())
          return fail("expected a keyword argument after another");
        call.arguments.emplace_back();
        if (failed(parse(call.arguments.back())))
          return failure();
      }
      if (!consume(',') && peek() != ')')
        return fail("expected ',' or ')'");
    }
    // `dict(x=Shard(1))` is how some write a dictionary.
    if (call.text == "dict" && call.arguments.empty())
      call.kind = Expression::Dictionary;
    return success();
  }

  LogicalResult parseSequence(Expression &result, char close) {
    result = start(Expression::Sequence);
    ++at;
    bool hasComma = false;
    while (!consume(close)) {
      result.arguments.emplace_back();
      if (failed(parse(result.arguments.back())))
        return failure();
      bool isMore = consume(',');
      hasComma |= isMore;
      if (!isMore && peek() != close)
        return fail(Twine("expected ',' or '") + Twine(close) + "'");
    }
    // In parentheses, one value without a comma is no tuple.
    if (close == ')' && result.arguments.size() == 1 && !hasComma) {
      Expression inner = std::move(result.arguments.front());
      result = std::move(inner);
    }
    return success();
  }

  LogicalResult parseDictionary(Expression &result) {
    result = start(Expression::Dictionary);
    ++at;
    while (!consume('}')) {
      size_t begin = (peek(), at);
      std::string name;
      if (peek() != '"' && peek() != '\'')
        return fail("expected a name in quotes or '}'");
      if (failed(parseString(name)))
        return failure();
      for (const Expression::Keyword &other : result.keywords)
        if (other.name == name) {
          at = begin;
          return fail("expected '" + name + "' once");
        }
      if (!consume(':'))
        return fail("expected ':'");
      result.keywords.push_back({name, {}});
      if (failed(parse(result.keywords.back().value)))
        return failure();
      if (!consume(',') && peek() != '}')
        return fail("expected ',' or '}'");
    }
    return success();
  }

  StringRef text;
  function_ref<InFlightDiagnostic()> emitError;
  size_t at = 0, depth = 0;
};

} // namespace

FailureOr<Expression>
tp::parseExpression(StringRef text,
                    function_ref<InFlightDiagnostic()> emitError) {
  return Parser(text, emitError).run();
}
