//===- Keys.cpp - what is known about configuration keys ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Family.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;

/// Keys of a config.json that say nothing about how the network computes:
/// where it comes from, how it was trained, how text is sampled from it.
static const llvm::StringSet<> &getHarmlessKeys() {
  static const llvm::StringSet<> keys = {
      // Identity and software.
      "_attn_implementation", "_attn_implementation_autoset",
      "_attn_implementation_internal", "_commit_hash", "_flash_attn_2_enabled",
      "_name_or_path", "architectures", "attn_implementation",
      "custom_pipelines", "finetuning_task", "is_llama_config", "model_type",
      "name_or_path", "prefix", "task_specific_params", "tokenizer_class",
      "torchscript", "transformers.js_config", "transformers_version",
      "unsloth_fixed", "unsloth_version",
      // The type of the weights: their tensors have it, too.
      "dtype", "torch_dtype", "use_bfloat16",
      // Training.
      "attention_dropout", "classifier_dropout", "embd_pdrop",
      "gradient_checkpointing", "hidden_dropout", "id2label",
      "initializer_range", "label2id", "num_labels", "problem_type",
      "resid_pdrop", "tf_legacy_loss",
      // Interfaces of the Python model.
      "chunk_size_feed_forward", "is_decoder", "keys_to_ignore_at_inference",
      "output_attentions", "output_hidden_states", "return_dict",
      "return_dict_in_generate", "use_cache",
      // Special tokens.
      "begin_suppress_tokens", "bos_token_id", "decoder_start_token_id",
      "eos_token_id", "forced_bos_token_id", "forced_eos_token_id",
      "pad_token_id", "sep_token_id", "suppress_tokens", "unk_token_id",
      // Sampling.
      "bad_words_ids", "diversity_penalty", "do_sample", "early_stopping",
      "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty",
      "length_penalty", "max_length", "max_new_tokens", "min_length",
      "no_repeat_ngram_size", "num_beam_groups", "num_beams",
      "num_return_sequences", "output_scores", "remove_invalid_values",
      "repetition_penalty", "temperature", "top_k", "top_p", "typical_p"};
  return keys;
}

/// Switches that must be off: what they would turn on is not built.
static constexpr StringLiteral kOffKeys[] = {
    "add_cross_attention", "is_encoder_decoder",
    "rope_interleaved",    "tie_encoder_decoder",
    "use_sliding_window",  "use_parallel_residual",
    "use_qk_norm",         "cross_attention_hidden_size"};

LogicalResult importer::finishHuggingFaceConfig(KeyReader &config) {
  for (StringRef key : kOffKeys)
    if (config.getBool(key, false))
      config.fail(key, "is not supported");
  // More than 1 replays how pretraining split the contractions.
  config.getInt("pretraining_tp", 1, 1, 1);
  KeyReader pruned = config.getObject("pruned_heads");
  (void)pruned.finish([](StringRef) { return false; });
  for (StringRef key : {"quantization_config", "sliding_window", "auto_map"})
    if (config.has(key))
      config.fail(key, "is not supported");
  return config.finish(
      [](StringRef key) { return getHarmlessKeys().contains(key); });
}

bool importer::isInLayer(StringRef name, StringRef prefix, int64_t count) {
  int64_t number;
  return name.consume_front(prefix) && !name.consumeInteger(10, number) &&
         number >= 0 && number < count && name.starts_with(".");
}
