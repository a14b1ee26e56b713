package classifier

import "math"

// A signal is a product of weights and features, in log-odds of the answer's tier
// against the runner-up. Those of words are added up over a phrase, those of
// structure over a group. What is too small to name is one signal, the rest, so
// that all of them add up to the score.

const (
	maxPhrases   = 4
	phraseWords  = 6
	phraseWeight = 0.08 // log-odds below which a phrase is not named
	groupWeight  = 0.12
)

// group is a set of named features that make one signal.
type group struct {
	name    string
	end     int // first feature of the next group
	details [2]string
}

// groups are in the order of the named features.
var groups = [...]group{
	{"usual_share", denseAskHas, [2]string{"the answer's tier is the more common one", "the answer's tier is the rarer one"}},
	{"kind_of_request", denseRestHas, [2]string{"what is asked for is typical of this tier", "what is asked for is more typical of the other tier"}},
	{"surrounding_text", densePrevHas, [2]string{"the text around the ask fits this tier", "the text around the ask fits the other tier better"}},
	{"conversation", denseVerb, [2]string{"what was asked before points to this tier", "what was asked before points to the other tier"}},
	{"verb_and_object", denseShape, [2]string{"the verb and its object are typical of this tier", "the verb and its object are more typical of the other tier"}},
	{"structure", denseLang, [2]string{"length, form and pasted material fit this tier", "length, form and pasted material fit the other tier better"}},
	{"language", denseCount, [2]string{"the language of the text", "the language of the text"}},
}

var phraseDetails = [zones][2]string{
	zoneAsk:      {"these words of the ask point to this tier", "these words of the ask point to the other tier"},
	zoneRest:     {"these words beside the ask point to this tier", "these words beside the ask point to the other tier"},
	zoneMaterial: {"these words of the material point to this tier", "these words of the material point to the other tier"},
	zonePrevUser: {"these words of the turn before point to this tier", "these words of the turn before point to the other tier"},
	zonePrevAsst: {"these words of the answer before point to this tier", "these words of the answer before point to the other tier"},
	zoneSystem:   {"these words of the system prompt point to this tier", "these words of the system prompt point to the other tier"},
}

var encoderDetails = [2]string{"a slower reader of the whole ask, asked because of doubt, leans to this tier", "a slower reader of the whole ask, asked because of doubt, leans to the other tier"}

// signals explains why tier top+1 was preferred to tier next+1. share is what the
// linear model's log-odds count, encoder what the encoder adds to them; they are 1
// and 0 where the linear model answers alone.
func (c *Classifier) signals(s *scratch, top, next int, z [Columns]float32, share, encoder float32) []Signal {
	out := make([]Signal, 0, maxPhrases+len(groups)+2)
	total := share*(c.tierScale*(z[ColumnTier+top]-z[ColumnTier+next])+c.tierBias[top]-c.tierBias[next]) + encoder
	named := float32(0)
	add := func(name string, details *[2]string, weight float32, span Span) {
		sg := Signal{Name: name, Detail: details[0], Tier: Tier(top + 1), Weight: float64(weight), Span: span}
		if weight < 0 {
			sg.Tier, sg.Detail = Tier(next+1), details[1]
		}
		named += weight
		out = append(out, sg)
	}

	// Words: each feature's part goes to the word that it ends in.
	if cap(s.credit) < len(s.reading.words) {
		s.credit = make([]float32, len(s.reading.words), 2*len(s.reading.words))
	}
	credit := s.credit[:len(s.reading.words)]
	clear(credit)
	from := 0
	ts, ns := 8*(ColumnTier+top), 8*(ColumnTier+next)
	for ch, end := range s.ends {
		v := s.features.scale[ch] * c.scale[ColumnTier] * c.tierScale * share
		for from < end {
			at, sum := s.word[from], 0
			for from < end && s.word[from] == at {
				w := s.rows[from]
				sum += int(w>>ts&0xff) - int(w>>ns&0xff)
				from++
			}
			credit[at] += float32(sum) * v
		}
	}
	for _, p := range bestPhrases(s.reading.words, credit) {
		if p.weight != 0 {
			from, to := &s.reading.words[p.start], &s.reading.words[p.end-1]
			add("words", &phraseDetails[from.zone], p.weight, Span{Message: int(from.message), Start: int(from.start), End: int(to.end)})
		}
	}

	// Structure.
	var sums [len(groups)]float32
	for i, d := range s.dense {
		g := 0
		for int(d) >= groups[g].end {
			g++
		}
		w := &c.dense[d]
		sums[g] += (w[ColumnTier+top] - w[ColumnTier+next]) * s.denseVal[i] * c.tierScale * share
	}
	sums[0] += (c.tierBias[top] - c.tierBias[next]) * share
	for g, weight := range sums {
		if abs(weight) >= groupWeight {
			add(groups[g].name, &groups[g].details, weight, Span{})
		}
	}

	if encoder != 0 {
		add("encoder", &encoderDetails, encoder, Span{})
	}

	// The weightiest first; few enough for the simplest sort.
	for i := range out {
		for j := i; j > 0 && abs(float32(out[j].Weight)) > abs(float32(out[j-1].Weight)); j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	if rest := total - named; rest != 0 {
		add("rest", &[2]string{"everything else, too small to name", "everything else, too small to name"}, rest, Span{})
	}
	return out
}

// phrase is a run of words and its weight.
type phrase struct {
	start, end int
	weight     float32
}

// bestPhrases finds the weightiest runs of at most phraseWords words of one
// sentence that don't overlap, weightiest first; the rest of the array is zero.
func bestPhrases(ws []word, credit []float32) (best [maxPhrases]phrase) {
	for i := range ws {
		var p phrase
		sum := float32(0)
		zone, message := ws[i].zone, ws[i].message
		for j := i; j < len(ws) && j < i+phraseWords; j++ {
			if j > i && (ws[j].first || ws[j].zone != zone || ws[j].message != message) {
				break
			}
			sum += credit[j]
			if abs(sum) > abs(p.weight) {
				p = phrase{i, j + 1, sum}
			}
		}
		least := abs(p.weight)
		if least < phraseWeight || least <= abs(best[maxPhrases-1].weight) {
			continue
		}
		// It takes the place of the runs that it overlaps, if it beats them all.
		n, beaten := 0, true
		for k := range best {
			if best[k].weight == 0 {
				break
			}
			if best[k].end > p.start && abs(best[k].weight) >= least {
				beaten = false
				break
			}
		}
		if !beaten {
			continue
		}
		for k := range best {
			if best[k].weight != 0 && best[k].end <= p.start {
				best[n] = best[k]
				n++
			}
		}
		if n == maxPhrases {
			n--
		}
		for k := n; k < maxPhrases; k++ {
			best[k] = phrase{}
		}
		at := n
		for at > 0 && abs(best[at-1].weight) < least {
			best[at] = best[at-1]
			at--
		}
		best[at] = p
	}
	return best
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
