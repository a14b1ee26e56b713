package classifier

import (
	"context"
	"math"
	"math/bits"
	"slices"
)

// Buckets is the number of hashed features. Features from Buckets on, up to
// FeatureCount, are the named ones of structure.
const (
	bucketBits = 18
	Buckets    = 1 << bucketBits

	// FeatureCount is the number of all features.
	FeatureCount = Buckets + denseCount
)

// Channels of hashed features. Each is normalised by itself, so that much text
// in one can't drown another.
const (
	channelWords = iota * int(zones) // + zone
	channelChars
	channels
)

// channelScale weighs the channels against each other and against the named
// features: how far training may lean on them.
var channelScale = [channels]float32{
	channelWords + int(zoneAsk): 3, channelWords + int(zoneRest): 0.4, channelWords + int(zoneMaterial): 0.6,
	channelWords + int(zonePrevUser): 0.4, channelWords + int(zonePrevAsst): 0.3, channelWords + int(zoneSystem): 0.3,
	channelChars + int(zoneAsk): 2, channelChars + int(zoneRest): 0.3, channelChars + int(zoneMaterial): 0.2,
	channelChars + int(zonePrevUser): 0, channelChars + int(zonePrevAsst): 0, channelChars + int(zoneSystem): 0,
}

// features are a task as numbers.
type features struct {
	index    []uint32          // hashed features, channel by channel
	word     []uint16          // the word that each came from
	rows     []uint64          // the weights of each, once they are scored
	ends     [channels]int     // where each channel ends in index
	scale    [channels]float32 // the value of each feature of a channel
	dense    []uint16          // named features
	denseVal []float32
	lang     int // index in languages, -1 where not known
}

// Namespaces of hashed features: arbitrary odd numbers.
const (
	saltUnigram uint64 = 0x9e3779b97f4a7c15
	saltBigram  uint64 = 0xbf58476d1ce4e5b9
	saltTrigram uint64 = 0x94d049bb133111eb
	saltChar3   uint64 = 0xd6e8feb86659fd93
	saltChar4   uint64 = 0xa0761d6478bd642f
	saltChar5   uint64 = 0xe7037ed1a0b428db
	saltOpen    uint64 = 0x8ebc6af09c88c6e3
)

func bucket(h, salt uint64) uint32 {
	h = (h ^ salt) * 0xff51afd7ed558ccd
	h ^= h >> 32
	return uint32(h * 0xc4ceb9fe1a85ec53 >> (64 - bucketBits))
}

// extract turns a reading into features.
func (f *features) extract(r *reading, t *Task) {
	f.index, f.word, f.dense, f.denseVal = f.index[:0], f.word[:0], f.dense[:0], f.denseVal[:0]
	var there [zones + 1]bool // most tasks have words in one zone or two; the last is for those set aside
	for i := range r.words {
		there[r.words[i].zone] = true
	}
	for z := range zones {
		if there[z] {
			f.words(r, z)
		} else {
			f.end(channelWords+int(z), len(f.index))
		}
	}
	for z := range zones {
		if there[z] {
			f.chars(r, t, z)
		} else {
			f.end(channelChars+int(z), len(f.index))
		}
	}
	f.named(r, t)
}

func (f *features) end(channel, from int) {
	n := len(f.index) - from
	f.ends[channel] = len(f.index)
	f.scale[channel] = 0
	if n > 0 {
		f.scale[channel] = channelScale[channel] / float32(math.Sqrt(float64(n)))
	}
}

func (f *features) add(i uint32, w int) {
	f.index = append(f.index, i)
	f.word = append(f.word, uint16(w))
}

// zoneSalt keeps the zones apart: asked words share a namespace with those of
// the turn before only where the ask leans on it.
func zoneSalt(z zone) uint64 { return uint64(z) * 0x589965cc75374cc3 }

func (f *features) words(r *reading, z zone) {
	from := len(f.index)
	zs := zoneSalt(z)
	var one, two uint64 // hashes of the words before
	n := 0
	for i := range r.words {
		w := &r.words[i]
		if w.zone != z {
			continue
		}
		if w.first {
			one, two, n = 0, 0, 0
		}
		h := w.hash ^ zs
		f.add(bucket(h, saltUnigram), i)
		if one != 0 {
			f.add(bucket(h+bits.RotateLeft64(one, 17)*3, saltBigram), i)
		}
		if two != 0 && z <= zoneRest {
			f.add(bucket(h+bits.RotateLeft64(one, 17)*3+bits.RotateLeft64(two, 31)*5, saltTrigram), i)
		}
		if z == zoneAsk && n < 3 {
			f.add(bucket(h+bits.RotateLeft64(one, 17)*3+bits.RotateLeft64(two, 31)*5, saltOpen), i)
			n++
		}
		one, two = h, one
	}
	f.end(channelWords+int(z), from)
}

// chars adds the character n-grams of words, so that a typo or an ending
// leaves most of a word in place.
func (f *features) chars(r *reading, t *Task, z zone) {
	from := len(f.index)
	if channelScale[channelChars+int(z)] > 0 {
		for i := range r.words {
			w := &r.words[i]
			if w.zone != z || w.kind != kindLatin {
				continue
			}
			s := t.Messages[w.message].Content[w.start:w.end]
			if len(s) > 24 {
				s = s[:24]
			}
			win, n := uint64(1), 1
			for j := 0; j <= len(s); j++ {
				c := uint64(1)
				if j < len(s) {
					c = uint64(s[j])
					if c < 0x80 {
						c = uint64(asciiWord[c])
					}
				}
				win = win<<8 | c
				n++
				if n >= 3 {
					f.add(bucket(win&0xffffff, saltChar3), i)
				}
				if n >= 4 {
					f.add(bucket(win&0xffffffff, saltChar4), i)
				}
				if n >= 5 {
					f.add(bucket(win&0xffffffffff, saltChar5), i)
				}
			}
		}
	}
	f.end(channelChars+int(z), from)
}

// Named features.
const (
	denseBias    = 0
	denseAskHas  = 1                                    // class occurs in the ask
	denseLead    = denseAskHas + classes                // class among the first words of an asking sentence
	denseRestHas = denseLead + classes                  // class occurs elsewhere in the last user turn
	densePrevHas = denseRestHas + classes               // class occurs in the user turn before
	denseVerb    = densePrevHas + classes               // first verb of the ask
	denseCross   = denseVerb + verbClasses + 1          // first verb and noun
	denseShape   = denseCross + (verbClasses+1)*nounMax // buckets, shapeSlots each
	denseLang    = denseShape + shapes*shapeSlots
	denseCount   = denseLang + len(languages) + 2 // wide scripts, none known

	verbClasses = 12
	nounMax     = 10
	shapeSlots  = 12
)

var nounClasses = [nounMax]class{classSmall, classText, classCode, classDeep, classTrouble, classTrade, classFormat, classIdea, classOption, classMath}

// Shapes, each cut into at most shapeSlots buckets.
const (
	shapeBytes = iota
	shapeAskWords
	shapeSentences
	shapeMaterialShare
	shapeCodeLines
	shapeLogLines
	shapeTableLines
	shapeDataLines
	shapeItems
	shapeParagraphs
	shapeTurns
	shapeSystem
	shapeDigits
	shapeQuestion
	shapeWide
	shapeContext
	shapeFences
	shapeMaterialTokens
	shapeEnd
	shapeDoc
	shapeInherits
	shapeLimit
	shapes
)

func (f *features) named(r *reading, t *Task) {
	f.set(denseBias, 1)
	var ask, lead, rest, prev class
	verb, askWords, sentences, questions := verbClasses, 0, 0, 0
	n, limit, number, big := 0, 0, -1, false
	langs := [16]int{}
	letters := 0
	inAsk := false
	for i := range r.words {
		w := &r.words[i]
		for c := uint64(w.class) >> langShift; c != 0; c &= c - 1 {
			langs[bits.TrailingZeros64(c)]++
		}
		if w.kind == kindLatin {
			letters++
		}
		c := w.class & (classCourtesy - 1)
		switch w.zone {
		case zoneAsk:
			if w.first || !inAsk {
				n = 0
				sentences++
				inAsk = true
			}
			askWords++
			ask |= c
			if n < 4 {
				lead |= c
			}
			if verb == verbClasses && c.verb() {
				verb = bits.TrailingZeros64(uint64(c))
			}
			switch {
			case w.kind == kindNumber:
				number = i
				big = w.end-w.start >= 3
			case c&classFew != 0:
				number = i
				big = false
			case c&classUnit != 0 && number >= 0 && i-number <= 3:
				if big {
					limit = max(limit, 1)
				} else {
					limit = 2
				}
			}
			if c&classQuestionMark != 0 {
				questions++
			}
			n++
		case zoneRest:
			rest |= c
			inAsk = false
		case zonePrevUser:
			prev |= c
			inAsk = false
		default:
			inAsk = false
		}
	}
	f.classes(denseAskHas, ask, 1)
	f.classes(denseLead, lead, 1)
	f.classes(denseRestHas, rest, 0.7)
	f.classes(densePrevHas, prev, 0.5)
	f.set(denseVerb+verb, 1)
	for i, c := range nounClasses {
		if ask&c != 0 {
			f.set(denseCross+verb*nounMax+i, 1)
		}
	}
	s := &r.shape
	f.shape(shapeBytes, log2(s.bytes)-3)
	f.shape(shapeAskWords, log2(askWords*askWords))
	f.shape(shapeSentences, min(sentences, 11))
	f.shape(shapeMaterialShare, share(s.material(), s.lines-s.blank))
	f.shape(shapeCodeLines, log2(s.code))
	f.shape(shapeLogLines, log2(s.log))
	f.shape(shapeTableLines, log2(s.table))
	f.shape(shapeDataLines, log2(s.data))
	f.shape(shapeItems, log2(s.items+s.numbered))
	f.shape(shapeParagraphs, min(s.paragraphs, 11))
	f.shape(shapeTurns, min(r.turns, 8))
	f.shape(shapeSystem, log2(r.system.bytes)-3)
	f.shape(shapeDigits, share(s.digits*4, s.bytes))
	f.shape(shapeQuestion, min(questions, 4))
	f.shape(shapeWide, share(s.wide, s.bytes))
	f.shape(shapeContext, log2(r.context.bytes)-3)
	f.shape(shapeFences, min(s.fences, 4))
	f.shape(shapeMaterialTokens, log2((s.bytes/4+materialTokens(t.Material))>>9))
	end := 0
	for i := len(r.words) - 1; i >= 0; i-- {
		if w := &r.words[i]; int(w.message) == r.users {
			switch {
			case w.class&classQuestionMark != 0:
				end = 1
			case w.kind == kindMark:
				switch t.Messages[w.message].Content[w.start] {
				case ':':
					end = 2
				case '.':
					end = 3
				case '`', '}', ')', ';':
					end = 4
				default:
					end = 5
				}
			case w.kind == kindNumber:
				end = 6
			default:
				end = 7
			}
			break
		}
	}
	f.shape(shapeEnd, end)
	f.shape(shapeDoc, r.doc)
	if r.inherits {
		f.shape(shapeInherits, 1)
	}
	f.shape(shapeLimit, limit)
	f.lang = -1
	best := 0
	for i := range languages {
		if langs[i] > best {
			best, f.lang = langs[i], i
		}
	}
	if best*12 < letters {
		f.lang = -1
	}
	switch {
	case s.wide*2 > s.bytes:
		f.set(denseLang+len(languages), 1)
	case f.lang >= 0:
		f.set(denseLang+f.lang, 1)
	default:
		f.set(denseLang+len(languages)+1, 1)
	}
}

func (f *features) classes(base int, c class, v float32) {
	for u := uint64(c); u != 0; u &= u - 1 {
		f.set(base+bits.TrailingZeros64(u), v)
	}
}

func (f *features) set(i int, v float32) {
	f.dense = append(f.dense, uint16(i))
	f.denseVal = append(f.denseVal, v)
}

func (f *features) shape(s, slot int) {
	f.set(denseShape+s*shapeSlots+min(max(slot, 0), shapeSlots-1), 0.7)
}

// itemTokens is what an item of material counts where only their number is given: a
// short record. It tells little material from much, no more.
const itemTokens = 50

// materialTokens is how long the material is that was not sent along.
func materialTokens(m Material) int {
	n := m.InputTokens
	if n <= 0 {
		n = itemTokens * min(max(m.ItemCount, 0), 1<<30)
	}
	return int(min(n, 1<<30))
}

func log2(n int) int { return bits.Len(uint(max(n, 0))) }

// share is n of total in tenths.
func share(n, total int) int {
	if total <= 0 {
		return 0
	}
	return (10*n + total - 1) / total
}

// Feature is one number of a task: the index is less than FeatureCount.
type Feature struct {
	Index uint32
	Value float32
}

// Features gives the numbers that stand for a task, in the order of their
// index, each once. Training sees a task as Classify does, through the same
// code.
func Features(t Task) []Feature {
	var r reading
	var f features
	if r.read(context.Background(), t) != nil {
		return nil
	}
	f.extract(&r, &t)
	fs := make([]Feature, 0, len(f.index)+len(f.dense))
	from := 0
	for c, end := range f.ends {
		for _, i := range f.index[from:end] {
			fs = append(fs, Feature{i, f.scale[c]})
		}
		from = end
	}
	for i, d := range f.dense {
		fs = append(fs, Feature{Buckets + uint32(d), f.denseVal[i]})
	}
	slices.SortStableFunc(fs, func(a, b Feature) int { return int(a.Index) - int(b.Index) })
	out := fs[:0]
	for _, x := range fs {
		if n := len(out); n > 0 && out[n-1].Index == x.Index {
			out[n-1].Value += x.Value
			continue
		}
		out = append(out, x)
	}
	return out
}
