// Adjutant decides, before a program calls a language model, which tier a task
// needs, which model that is, whether to split the work, and what it costs.
//
// This folder is the one binary, a table of subcommands (see main.go). It holds
// no decision of its own: classify, route, estimate and models call the methods
// of [server.Service] in process, so that the command line answers as the server
// does, and serve, train, evaluate, policy and simulate hand their flags to the
// packages that do the work.
//
// The files:
//
//	main.go      the table, the exit codes, signals
//	flags.go     flags as people expect them; how requests are built from them
//	ask.go       one task in, one answer out, as a table or as JSON
//	jsonl.go     many requests in, many answers out, in order, on all cores
//	table.go     answers for eyes
//	help.go      what --help prints
//	snapshot.go  what decisions are made with: policies, catalogue, weights
//	the rest     a file for each other subcommand
package main
