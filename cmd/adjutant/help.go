package main

// The help texts are written by hand, for a reader who wants to get something done:
// what the command does, examples that work when pasted, then the flags. Tests hold
// that each text names the flags that there are and no others, and that the examples
// run.

const mainHelp = `Adjutant decides, before a program calls a language model, which tier a task
needs (repetition < making < judgment), which model that is, whether to split it
into design and execution, and what it costs. It calls no model and needs no key.

  adjutant route "Rename these 50 files to kebab-case"
  adjutant estimate "Summarise our meeting notes" --material-tokens 20000
  adjutant serve

Ask
  classify     how much judgment a task needs, how sure that is, and why
  route        which model to call, with which fallbacks; one step or two; what it saves
  estimate     what a call costs, on any models, as of any date
  models       the models in the catalogue, their prices and limits

Run
  serve        the gRPC server
  healthcheck  ask a server for its health
  policy       check policy files, run decision cases
  simulate     what a policy would have done with past tasks
  version      this binary, and what it decides with

Improve
  evaluate     how often the classifier is right on labelled tasks of yours
  train        make the classifier's weights from labelled tasks

'adjutant COMMAND --help' has the flags and examples.

Exit codes: 0 done; 1 the work failed, or at least one request was refused;
2 the command line or a setting is wrong; 3 healthcheck: not serving or not
reachable; 130 interrupted.
`

const taskHelp = `About the task
  --material-tokens N   length of material that you will add to the call but do not
                        send here, in tokens
  --items N             how many records, files or pages that material holds, where its
                        length is not known
  --expected-output N   how long the answer will be, in tokens, if you know it
  --stage STAGE         design, execution or mixed, if you know it
  --capability NAME     what the model must be able to do; repeat it or use commas:
                        vision, pdf, audio-input, video-input, tools, reasoning,
                        structured-output, prompt-caching
  --label KEY=VALUE     for policy rules and the decision log, never text of the task;
                        repeat it
`

const outputHelp = `Input and output
  TASK                  the task in quotes; without it, or as -, standard input
  --json                one answer as JSON (protojson); a refusal is
                        {"error": {"code": ..., "message": ..., "details": [...]}}
  --jsonl               standard input has one request a line, as JSON; one answer a
                        line comes out, in order, while input still arrives. A refused
                        line gives {"error": ...} and the rest goes on; blank lines
                        are passed over
`

const snapshotHelp = `Decided with
  --catalogue FILE      models and prices over the built-in ones; repeat it
  --policy-file FILE    policies beside the built-in ones; repeat it
  --weights FILE        other classifier weights than the built-in ones
  --fast                never ask the encoder, which reads doubtful tasks a second
                        time: microseconds instead of milliseconds, less often right
`

const classifyHelp = `adjutant classify says how much judgment a task needs, how sure that is, and why.

  adjutant classify "Should we split the monolith before the team doubles?"
  adjutant classify --json < task.txt
  echo '{"task": {"prompt": "What is the capital of Peru?"}}' | adjutant classify --jsonl

` + outputHelp + `
` + taskHelp + `
` + snapshotHelp

const routeHelp = `adjutant route says which model to call for a task, what to call if that one can't
be reached, whether to split it into design and execution, and what that saves.

  adjutant route "Rename these 50 files to kebab-case"
  adjutant route "Extract the action items" --material-tokens 13333 --items 20
  adjutant route "Review this design" --provider anthropic,google --max-cost 0.25
  adjutant route "Fix the failing test" --attempt claude-haiku-5-5=failed
  adjutant route --json < task.txt
  echo '{"task": {"prompt": "Translate: good morning"}}' | adjutant route --jsonl

` + outputHelp + `
` + taskHelp + `
Narrow the choice (never wider than the policy)
  --max-cost USD        the most that it may be expected to cost, such as 0.05
  --min-tier TIER       repetition, making or judgment
  --max-tier TIER       likewise
  --provider NAME       only these providers; repeat it or use commas
  --deny MODEL          none of these models; repeat it or use commas
  --min-context N       only models with so large a context window, in tokens
  --max-latency TIME    the longest time to the whole answer, such as 20s
  --plan MODE           allow (the default), single-step or two-step

What happened before
  --current-model MODEL the model that the session runs on
  --cached-tokens N     how many input tokens that model has cached
  --cache-age TIME      how long ago that cache was used, such as 3m
  --attempt MODEL=OUTCOME
                        an earlier try at this task: succeeded, failed, stalled,
                        refused or unavailable; with :TIME how long it took, such as
                        claude-haiku-5-5=stalled:90s; repeat it, oldest first

How it will be called
  --service-tier TIER   standard, batch, flex, priority, fast or ultrafast
  --region NAME         pin inference to a region, such as us
  --as-of TIME          decide as of a day or a time: 2026-01-31, 2026-01-31T12:00:00Z

` + snapshotHelp + `  --policy NAME         the policy that decides (default: default)
`

const estimateHelp = `adjutant estimate says what a call costs, exactly, on any models, as of any date:
before the call from its task, after it from its token counts.

  adjutant estimate "Summarise our meeting notes" --material-tokens 20000
  adjutant estimate --model claude-opus-4-1 --as-of 2025-08-15 \
      --input-tokens 13333 --output-tokens 37333
  adjutant estimate --model claude-haiku-5-5,gpt-6-luna --calls 1000000 \
      --input-tokens 2000 --cache-read-tokens 1500 --output-tokens 300
  adjutant estimate --model claude-opus-5-5 --service-tier batch "Draft the release notes"

` + outputHelp + `
What to price
  --model MODEL         a model; repeat it or use commas (default: the policy's)
  --policy NAME         the policy whose models are priced, without --model
  --calls N             how many such calls, for a projection
  --shared-input-tokens N
                        how much of the input all calls have in common, and could
                        be kept in a cache
  --service-tier TIER   standard, batch, flex, priority, fast or ultrafast
  --region NAME         pin inference to a region, such as us
  --as-of TIME          the prices of a day or a time: 2026-01-31, 2026-01-31T12:00:00Z

` + taskHelp + `
Token counts, instead of a task (totals include their parts)
  --input-tokens N      all input
  --output-tokens N     all output
  --cache-read-tokens N
                        part of the input that was read from a cache
  --cache-write-tokens N
                        part of the input that was written to a cache
  --cache-write TIME=N  part of the written whose lifetime is known, such as 1h=20000;
                        repeat it
  --reasoning-tokens N  part of the output that was thought, not shown
  --input-audio-tokens N, --output-audio-tokens N, --cache-read-audio-tokens N,
  --input-image-tokens N, --output-image-tokens N
                        parts of input, output and cached input

` + snapshotHelp

const modelsHelp = `adjutant models lists the models in the catalogue: prices, limits, and the tier that
the policy gives them. adjutant models check looks for mistakes in catalogue files of
your own.

  adjutant models --tier judgment
  adjutant models --provider anthropic --retired --as-of 2025-08-15
  adjutant models --capability vision,tools --min-context 1000000 --json
  adjutant models check my-models.yaml

Which
  --provider NAME       only these providers; repeat it or use commas
  --tier TIER           only those that serve repetition, making or judgment
  --capability NAME     only those that can do all of it; repeat it or use commas
  --min-context N       only those with so large a context window, in tokens
  --retired             also those that are no longer sold
  --as-of TIME          prices and models of a day or a time
  --policy NAME         the policy whose tiers are given (default: default)
  --json                as JSON (protojson)

` + snapshotHelp

const policyHelp = `adjutant policy check looks for mistakes in policy files, and says each with file and
line. adjutant policy test decides cases that you wrote down, and says where a decision
is not the one that you want.

  adjutant policy check my-policies.yaml
  adjutant policy test my-cases.yaml --policy-file my-policies.yaml

A policy says which models serve a tier, what a failed answer costs, and where floors
and ceilings lie. docs/policies.md explains every key of both kinds of file.

` + snapshotHelp

const simulateHelp = `adjutant simulate says what a policy would have done with past tasks: quality and cost
beside always-top, always-middle, always-cheapest, a random split and the best that was
possible, over a range of penalties. It also fits the policy's failure table to them.

  adjutant simulate --outcomes my-outcomes.jsonl
  adjutant simulate --outcomes my-outcomes.jsonl --policy attended --json

A line is {"prompt": "...", "outcomes": {"MODEL": {"score": 0.9, "cost_usd": "0.012"}}},
with a score from 0 to 1 for at least one model of each tier. A line without "outcomes"
is reckoned with the policy's own failure table; "tier" says what the task needs.

  --outcomes FILE       past tasks; - is standard input; repeat it
  --policy NAME         the policy that decides (default: default)
  --as-of TIME          decide as of a day or a time (default: now)
  --json                as JSON

` + snapshotHelp

const evaluateHelp = `adjutant evaluate says how often the classifier is right on labelled tasks of yours.

  adjutant evaluate --data my-tasks.jsonl
  adjutant evaluate --data my-tasks.jsonl --weights my-weights.bin --json

A line is a JSON object with "text", or "messages" (each with "role" and "content"),
and the labels "tier" (repetition, making, judgment), and if you have them "stage"
(design, execution, mixed), "split" (true, false) and "output_tokens".

  --data FILE           labelled tasks; - is standard input; repeat it
  --weights FILE        judge these weights instead of the built-in ones
  --fast                judge the built-in classifier without its encoder
  --json                as JSON
`

const trainHelp = `adjutant train makes the classifier's weights from labelled tasks: those that are built
in, and yours. The same tasks give the same bytes.

  adjutant train --out my-weights.bin
  adjutant train --out my-weights.bin --data my-tasks.jsonl
  adjutant evaluate --data my-tasks.jsonl --weights my-weights.bin

  --out FILE            where to write the weights; FILE.provenance.json beside it says
                        what they were made from
  --data FILE           labelled tasks of your own (adjutant evaluate --help has their
                        form); repeat it
  --corpus DIR          other *.jsonl files instead of the built-in corpus
  --real DIR            the labelled real tasks (train.jsonl, dev.jsonl) that the
                        published weights use and the repository does not hold
`

const healthcheckHelp = `adjutant healthcheck asks a server for its health over gRPC. It exits with 0 if the
server serves, and with 3 if it does not or can't be reached.

  adjutant healthcheck
  adjutant healthcheck --address unix:/run/adjutant.sock --timeout 500ms

Without an address it asks the server that "adjutant serve" starts with the same
ADJUTANT_* variables and file: where that listens, with TLS if that uses it. Such a
server's certificate is not checked; one that asks for a client's certificate is shown
its own.

  --address ADDRESS     another server: host:port or unix:PATH
  --config FILE         the settings of serve
  --service NAME        one service, such as adjutant.v1.RoutingService (default: the
                        whole server)
  --timeout TIME        how long to wait (default 2s)
  --tls-ca FILE         the server uses TLS, with a certificate that this PEM file signed
  --tls-server-name NAME
                        the name in that certificate, if it is not the address
  --tls-certificate FILE, --tls-key FILE
                        what to show a server that asks for a client's certificate
`

const versionHelp = `adjutant version says what this binary is and what it decides with.

  adjutant version
`

const serveHelp = `adjutant serve answers over gRPC until SIGINT or SIGTERM ends it; a second signal
ends it at once. It needs no configuration.

  adjutant serve
  adjutant serve --listen :50051 --policy-file my-policies.yaml
  adjutant serve --check --policy-file my-policies.yaml --catalogue my-models.yaml

Where
  --listen ADDRESS      gRPC: host:port, :port or unix:PATH (default 127.0.0.1:50051)
  --admin-listen ADDRESS
                        HTTP for metrics and health; "" for none (default
                        127.0.0.1:9464)
  --reflection=false    do not tell clients the contract, as grpcurl asks for it

Who may call
  --tls-certificate FILE, --tls-key FILE
                        PEM files; without them connections are not encrypted
  --tls-client-ca FILE  PEM file of who must have signed a client's certificate
  --auth-tenants FILE   who may call, with what; without it everybody may

Decided with
  --catalogue FILE      models and prices over the built-in ones; repeat it
  --policy-file FILE    policies beside the built-in ones; repeat it
  --weights FILE        other classifier weights than the built-in ones
  --encoder=false       never ask the encoder, which reads doubtful tasks a second
                        time: microseconds instead of milliseconds, less often right
  --reload-every TIME   how often these files are looked at for changes (default 10s);
                        SIGHUP looks at once. What has mistakes is not put in force

How it runs
  --check               read all of it, say every mistake, and serve nothing
  --config FILE         settings as YAML; flags and ADJUTANT_* variables go over them
  --log-level LEVEL     debug, info (the default), warn or error; lines are JSON on
                        standard error and never hold text of tasks
  --drain TIME          how long to go on serving after a signal, while health already
                        says NOT_SERVING (default 5s)
  --shutdown TIME       how long calls that still run have then (default 20s)

Every setting is a flag, a variable and a key of the file: docs/configuration.md lists
them. OpenTelemetry is set up by the standard OTEL_* variables.
`
