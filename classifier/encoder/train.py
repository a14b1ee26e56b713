"""Fine-tune e5-small-v2 to tell the tier of a task.

    python train.py --base e5.jar --seed 0 --out zero.pt & python train.py --base e5.jar --seed 1 --out one.pt; wait
    python train.py --base e5.jar --average zero.pt one.pt --out tier.pt --real train.jsonl --blind train.jsonl dev.jsonl

e5.jar is the artifact named in requirements.txt. It holds intfloat/e5-small-v2 (MIT) with int8 weights, which become
floats here.

Two passes of two epochs each. The first takes the corpus of this repository, once for each of two seeds. The second starts
from the mean of their weights, which does on unknown forms about what asking both would, and takes, at half the rate, a
sample of the corpus and labelled rows that are not part of the repository; whoever has none exports the mean. --blind
writes what the mean says of other labelled rows, when it has seen no real row: what calibration is fitted on, and what
tells how it does on forms that it has never met. testdata/blind.jsonl is that, of the rows that the committed weights were
then trained on (train.jsonl) or chosen by (dev.jsonl).

Embeddings and the four lowest layers stay as they are: words that the corpus lacks must keep their meaning. Stage, split
and output length are learned beside the tier, because they steady it; only the tier is exported. About an hour on two
cores. Same seeds, versions and machine, same weights. Versions: requirements.txt.
"""

import argparse
import glob
import hashlib
import json
import math
import os
import random
import zipfile

import numpy as np
import onnx
import torch
from tokenizers import BertWordPieceTokenizer
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import BertConfig, BertModel

BASE_SHA256 = "7d9092cb25f2bd1c023b7e8d2aa459044a02030ac880e5a59fdaf27af69f1ded"
TIERS = ["repetition", "making", "judgment"]
STAGES = ["design", "execution", "mixed"]
FROZEN_LAYERS = 4

# What is read of a task, in tokens: of the ask its head and its tail, of each turn before its head, of all turns before the
# last. Training sees more than the service, whose figures encoder.go has too: reading less costs it no accuracy, and time
# goes with the tokens.
TRAINED = 64, 32, 24, 60
READ = 32, 24, 16, 34
HEAD_RUNES, TAIL_RUNES, TURN_RUNES = 6000, 6000, 400

# Judgment is rare, and lost if it keeps its share of real traffic (.36, .58, .06).
PRIOR = torch.tensor([0.36, 0.54, 0.10])

# Rows of the corpus that the second pass sees again, so that real rows don't push out what it taught.
SAMPLE = 1000


def read_file(path):
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            row.setdefault("messages", [{"role": "user", "content": row.get("text", "")}])
            rows.append(row)
    return rows


def corpus_files(folder):
    return sorted(glob.glob(os.path.join(folder, "*.jsonl")))


def split(messages):
    """The last turn of the user, and what is read of the turns before: first system prompt, last two others."""
    last = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=len(messages) - 1)
    before = messages[:last]
    system = [m["content"] for m in before if m["role"] == "system"][:1]
    others = [m["content"] for m in before if m["role"] != "system"][-2:]
    return messages[last]["content"], system + others


class Base:
    """The network to start from, as its artifact holds it: an ONNX graph of int8 weights, and the vocabulary."""

    def __init__(self, path):
        with zipfile.ZipFile(path) as jar:
            graph = jar.read("e5-small-v2-q.onnx")
            pieces = json.loads(jar.read("e5-small-v2-q-tokenizer.json"))["model"]["vocab"]
        if hashlib.sha256(graph).hexdigest() != BASE_SHA256:
            raise SystemExit(f"{path} holds another network than the one meant: see requirements.txt")
        self.vocabulary = sorted(pieces, key=pieces.get)
        self.graph = onnx.load_model_from_string(graph).graph

    def network(self):
        held = {t.name: onnx.numpy_helper.to_array(t) for t in self.graph.initializer}

        def floats(name):
            steps = held[name + "_quantized"].astype(np.float32) - held[name + "_zero_point"].astype(np.float32)
            return steps * held[name + "_scale"]

        shape = BertConfig(
            hidden_size=384, num_hidden_layers=12, intermediate_size=1536, attn_implementation="sdpa"
        )
        bert = BertModel(shape, add_pooling_layer=False)
        state = {name: held[name] for name in bert.state_dict() if name in held}
        for kind in ("word", "position", "token_type"):
            name = f"embeddings.{kind}_embeddings.weight"
            state[name] = floats(name)
        for node in self.graph.node:
            # /encoder/layer.0/attention/self/query/MatMul_quant multiplies by that layer's weights, transposed.
            weights = next((i for i in node.input if i in held and i.endswith("_quantized")), None)
            if node.op_type == "MatMulInteger" and weights:
                name = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".") + ".weight"
                state[name] = np.ascontiguousarray(floats(weights.removesuffix("_quantized")).T)
        bert.load_state_dict({name: torch.tensor(v) for name, v in state.items()})  # complains if one is missing
        return bert


def tokenizer(tokens):
    return BertWordPieceTokenizer({t: i for i, t in enumerate(tokens)}, lowercase=True)


def token_ids(tok, messages, window):
    """What the network reads; tokenise in encoder.go is its twin."""
    start, end = tok.token_to_id("[CLS]"), tok.token_to_id("[SEP]")
    pieces = lambda text: tok.encode(text, add_special_tokens=False).ids
    head, tail, each, all_turns = window
    ask, before = split(messages)
    ids = pieces(ask[:HEAD_RUNES] + " " + ask[HEAD_RUNES:][-TAIL_RUNES:])
    if len(ids) > head + tail:
        ids = ids[:head] + pieces(".") + ids[-tail:]
    context = []
    for turn in before:
        context += pieces(turn[:TURN_RUNES])[:each] + [end]
    return [start] + context[-all_turns:] + ids + [end]


def run(layers, x, mask):
    hide = (1 - mask[:, None, None, :]) * -1e9
    for layer in layers:
        x = layer(x, hide)
        x = x[0] if isinstance(x, tuple) else x
    return x


class Network(nn.Module):
    def __init__(self, bert):
        super().__init__()
        self.config = bert.config
        self.embeddings, self.layers = bert.embeddings, bert.encoder.layer
        hidden = self.config.hidden_size
        self.tier, self.stage, self.rest = nn.Linear(hidden, 3), nn.Linear(hidden, 3), nn.Linear(hidden, 2)
        self.dropout = nn.Dropout(0.1)
        for part in (self.embeddings, *self.layers[:FROZEN_LAYERS]):
            part.requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        for part in (self.embeddings, *self.layers[:FROZEN_LAYERS]):
            part.eval()
        return self

    def keep_tokens(self, ids):
        """Cut the vocabulary to these ids, in this order."""
        rows = self.embeddings.word_embeddings.weight.data[ids]
        self.embeddings.word_embeddings = nn.Embedding.from_pretrained(rows)

    def low(self, ids, mask):
        """What the frozen part makes of token ids."""
        return run(self.layers[:FROZEN_LAYERS], self.embeddings(input_ids=ids), mask)

    def forward(self, x, mask):
        """Tier and stage logits, and (split logit, scaled log of output tokens), from the mean of all tokens."""
        x = run(self.layers[FROZEN_LAYERS:], x, mask)
        mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        mean = self.dropout(mean)
        return self.tier(mean), self.stage(mean), self.rest(mean)


def read_low(net, rows, size=32):
    """Give each row what the frozen part makes of it, once for all epochs."""
    net.eval()
    order = sorted(rows, key=lambda r: len(r["ids"]))
    for at in range(0, len(order), size):
        some = order[at : at + size]
        width = len(some[-1]["ids"])
        ids = torch.tensor([r["ids"] + [0] * (width - len(r["ids"])) for r in some])
        mask = torch.tensor([[1.0] * len(r["ids"]) + [0.0] * (width - len(r["ids"])) for r in some])
        with torch.no_grad():
            for r, x in zip(some, net.low(ids, mask)):
                r["low"] = x[: len(r["ids"])].clone()


def batch(rows):
    x = nn.utils.rnn.pad_sequence([r["low"] for r in rows], batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones(len(r["low"])) for r in rows], batch_first=True)
    return x, mask


def shuffled(rows, size):
    """Batches of rows of like length, in random order."""
    rows = random.sample(rows, len(rows))
    pools = [sorted(rows[i : i + 24 * size], key=lambda r: len(r["ids"])) for i in range(0, len(rows), 24 * size)]
    batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
    random.shuffle(batches)
    return batches


def weigh(rows):
    """Weights that give the tiers the shares of PRIOR."""
    count = torch.bincount(torch.tensor([TIERS.index(r["tier"]) for r in rows]), minlength=3)
    for r in rows:
        tier = TIERS.index(r["tier"])
        r["weight"] = float(PRIOR[tier] * len(rows) / count[tier])


def loss_of(net, rows):
    tier, stage, rest = net(*batch(rows))
    weight = torch.tensor([r["weight"] for r in rows])
    want_tier = torch.tensor([TIERS.index(r["tier"]) for r in rows])
    want_stage = torch.tensor([STAGES.index(r.get("stage") or "execution") for r in rows])
    want_split = torch.tensor([float(bool(r.get("split"))) for r in rows])
    want_length = torch.tensor([(math.log(r.get("output_tokens") or 100) - 5) / 2 for r in rows])
    each = cross_entropy(tier, want_tier, reduction="none", label_smoothing=0.05)
    each = each + 0.3 * cross_entropy(stage, want_stage, reduction="none")
    each = each + 0.1 * binary_cross_entropy_with_logits(rest[:, 0], want_split, reduction="none")
    each = each + 0.1 * (rest[:, 1] - want_length) ** 2
    return (each * weight).mean()


def fit(net, rows, epochs, rate, size=16):
    heads = [p for m in (net.tier, net.stage, net.rest) for p in m.parameters()]
    body = [p for p in net.layers.parameters() if p.requires_grad]
    groups = [{"params": body, "lr": rate}, {"params": heads, "lr": 10 * rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = epochs * math.ceil(len(rows) / size)
    ramp = lambda i: min(1, (i + 1) / (0.06 * steps)) * max(0.02, 1 - i / steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, ramp)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for rows_ in shuffled(rows, size):
            loss = loss_of(net, rows_)
            loss.backward()
            nn.utils.clip_grad_norm_(body + heads, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += loss.item() * len(rows_)
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(rows):.3f}", flush=True)


def logits_of(net, rows, size=32):
    """Tier logits of rows, in their order."""
    net.eval()
    out = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]["ids"]))
    for at in range(0, len(order), size):
        some = order[at : at + size]
        with torch.no_grad():
            tier = net(*batch([rows[i] for i in some]))[0]
        for i, z in zip(some, tier.tolist()):
            out[i] = [round(x, 4) for x in z]
    return out


def load_mean(net, states, rows):
    """Load the mean of states. It is less sure than each of them, so its tier logits are stretched to their spread on rows."""

    def spread():
        z = torch.tensor(logits_of(net, rows))
        return (z - z.mean(1, keepdim=True)).std()

    each = []
    for state in states:
        net.load_state_dict(state)
        each.append(spread())
    net.load_state_dict({k: sum(s[k] for s in states) / len(states) for k in states[0]})
    stretch = sum(each) / len(each) / spread()
    print(f"logits of the mean are stretched by {stretch:.3f}", flush=True)
    for part in net.tier.parameters():
        part.data *= stretch


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--base", required=True, help="the artifact with e5-small-v2; requirements.txt names it")
    p.add_argument("--out", required=True, help="checkpoint to write")
    p.add_argument("--average", nargs="*", help="checkpoints of the first pass; without, this is the first pass")
    p.add_argument("--corpus", default="../corpus", help="folder of the labelled prompts of this repository")
    p.add_argument("--real", help="labelled rows that are not part of the repository, for the second pass")
    p.add_argument("--blind", nargs="*", default=[], help="labelled rows to score before the second pass")
    p.add_argument("--blind-out", default="blind.jsonl", help="where to write those scores: id and logits")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    random.seed(a.seed)
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)

    corpus = [r for path in corpus_files(a.corpus) for r in read_file(path)]
    base = Base(a.base)
    tok = tokenizer(base.vocabulary)
    net = Network(base.network())

    def ready(rows, window=TRAINED):
        for r in rows:
            r["ids"] = token_ids(tok, r["messages"], window)
        read_low(net, rows)
        return rows

    if not a.average:
        print(f"{len(corpus)} rows of the corpus", flush=True)
        weigh(corpus)
        fit(net, ready(corpus), epochs=2, rate=6e-5)
        torch.save(net.state_dict(), a.out)
        return

    load_mean(net, [torch.load(path) for path in a.average], ready(corpus[:: len(corpus) // 1000 or 1]))
    if a.blind:
        blind = ready([r for path in a.blind for r in read_file(path)], READ)
        with open(a.blind_out, "w") as f:
            for r, z in zip(blind, logits_of(net, blind)):
                f.write(json.dumps({"id": r["id"], "logits": z}) + "\n")
    if a.real:
        real = read_file(a.real)
        again = random.sample(corpus, min(SAMPLE, len(corpus)))
        print(f"{len(again)} rows of the corpus, {len(real)} real ones", flush=True)
        weigh(again)
        for r in real:
            r["weight"] = 1.0  # they have the shares of real traffic
        fit(net, ready(again + real), epochs=2, rate=3e-5)
    torch.save(net.state_dict(), a.out)


if __name__ == "__main__":
    main()
