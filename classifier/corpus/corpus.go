// Package corpus holds the labelled prompts that the classifier is trained on.
//
// Every prompt is the project's own text. The files a*.jsonl are deliberately
// hard: their surface suggests another tier than the label. The files m*.jsonl
// have the forms of real prompts with other subjects. The files n*.jsonl and o*.jsonl
// widen the forms: conversations, asks with documents, small results, personas,
// commits, office work, open questions, and what is worth splitting. A row is a JSON object with
// text or messages, tier, stage, split, output_tokens, lang and domain; what the
// labels mean stands in docs/decisions/0003-classifier.md.
package corpus

import "embed"

// FS holds the files.
//
//go:embed *.jsonl
var FS embed.FS
