//===- TPAttributes.td - meshes and shardings -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_ATTRIBUTES
#define TP_DIALECT_TP_ATTRIBUTES

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "tp/Dialect/TP/IR/TPBase.td"
include "tp/Interfaces/ShardingInterfaces.td"

class TP_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<TP_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

/// Prints a space before its value; in an op's syntax, ask for none: `` $kind.
def TP_ReduceKindAttr : EnumAttr<TP_Dialect, TP_ReduceKind, "reduce"> {
  let assemblyFormat = "$value";
}

def TP_MeshAxisAttr : TP_Attr<"MeshAxis", "mesh_axis"> {
  let summary = "a named axis of a mesh and its size";
  let parameters = (ins StringRefParameter<"name">:$name, "int64_t":$size);
  let assemblyFormat = "$name `=` $size";
  let genVerifyDecl = 1;
}

def TP_MeshAttr : TP_Attr<"Mesh", "mesh"> {
  let summary = "the axes of a mesh, major to minor";
  let description = [{
    `<["dp"=2, "tp"=4]>`: eight devices, numbered row-major, the first axis major.
    Axis names are distinct and sizes positive.
  }];
  let parameters = (ins ArrayRefParameter<"MeshAxisAttr">:$axes);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The size of the axis called `name`, or 0 if there is none.
    int64_t getAxisSize(::llvm::StringRef name) const;
    /// The number of devices; 0 if it does not fit 62 bits.
    int64_t getNumDevices() const;
  }];
}

def TP_AxisRefAttr : TP_Attr<"AxisRef", "axis"> {
  let summary = "an axis of a mesh, or a part of one";
  let description = [{
    `"tp"` is the whole axis. `"tp":(m)k` is a *sub-axis*: the part of size k whose
    more-major parts have product m. With "tp"=8, `"tp":(1)2` tells the two halves
    apart and `"tp":(2)4` the four devices within a half. `size` is 0 for the whole
    axis.
  }];
  let parameters = (ins StringRefParameter<"name">:$name,
                        DefaultValuedParameter<"int64_t", "1">:$pre,
                        DefaultValuedParameter<"int64_t", "0">:$size);
  let hasCustomAssemblyFormat = 1;
}

def TP_DimShardingAttr : TP_Attr<"DimSharding", "dim_sharding"> {
  let summary = "the axes that shard one dim, major to minor";
  let description = [{
    `{"dp", "tp"}`, with ` pad 12` after it where the dim's padded extent differs
    from its true size. In constraints only: `{"dp", ?}` is open, further axes may
    follow; `p1` is a priority, lower first.
  }];
  let parameters = (ins ArrayRefParameter<"AxisRefAttr">:$axes,
                        DefaultValuedParameter<"int64_t", "0">:$pad,
                        DefaultValuedParameter<"bool", "false">:$open,
                        DefaultValuedParameter<"int64_t", "-1">:$priority);
  let hasCustomAssemblyFormat = 1;
}

def TP_ShardingAttr : TP_Attr<"Sharding", "sharding"> {
  let summary = "how a tensor lies on a mesh";
  let description = [{
    ```mlir
    #tp.sharding<@mesh, [{"dp"}, { }, {"tp"} pad 12], partial = sum{"x"}>
    ```
    For each dim an ordered list of axes, and the axes over which the value is
    still partial. An axis, or any part of one, occurs at most once.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$mesh,
                        ArrayRefParameter<"DimShardingAttr">:$dims,
                        DefaultValuedParameter<"::mlir::tp::ReduceKind",
                            "::mlir::tp::ReduceKind::Sum">:$partialKind,
                        OptionalArrayRefParameter<"AxisRefAttr">:$partialAxes);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// Fully replicated over `mesh`.
    static ShardingAttr getReplicated(::mlir::FlatSymbolRefAttr mesh,
                                      size_t rank);
    bool isReplicated() const;
  }];
}

#endif // TP_DIALECT_TP_ATTRIBUTES
