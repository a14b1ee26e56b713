// Package train makes the classifier's weights and measures them.
//
// [Train] turns labelled rows into weights: the same rows give the same bytes.
// [Evaluate] scores a classifier on labelled rows. [CrossValidate] scores the
// method itself, each row by a model that has not seen the row's source. Only the
// command line imports this package; serving never does.
//
//   - rows.go: labelled rows and how files spell them.
//   - train.go: which rows are trained on, and which calibrate.
//   - fit.go: the optimiser.
//   - calibrate.go: scores become probabilities and lengths.
//   - evaluate.go: the report.
package train
