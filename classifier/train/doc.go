// Package train makes the classifier's weights and measures them.
//
// [Train] turns labelled rows into weights: the same rows give the same bytes.
// [Evaluate] scores a classifier on labelled rows. Only the command line
// imports this package; serving never does.
package train
