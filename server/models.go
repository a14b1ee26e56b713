package server

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"sort"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
	"github.com/adjutant-dev/adjutant/pricing"
)

// defaultPageSize is the number of models in an answer to a request that says none.
const defaultPageSize = 100

// ListModels lists the models on offer, a page at a time.
func (s *Service) ListModels(ctx context.Context, req *adjutantv1.ListModelsRequest) (*adjutantv1.ListModelsResponse, error) {
	r := s.router()
	if r == nil {
		return nil, errLoading
	}
	var v violations
	v.listModels(req)
	page := pageToken{asOf: s.asOf(req.GetAsOf()), request: fingerprint(req)}
	if token := req.GetPageToken(); token != "" {
		from, ok := parsePageToken(token)
		switch {
		case !ok:
			v.add("page_token", "is not one that this service gave: start again without it")
		case from.request != page.request:
			v.add("page_token", "belongs to a request with other fields: keep them as they were, or start again without it")
		default:
			page = from
		}
	}
	if err := v.err(); err != nil {
		return nil, err
	}

	request := modelsRequestOf(req)
	request.AsOf = page.asOf
	request.Identity = callOf(ctx).identified()
	models, err := r.Models(request)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	answer := &adjutantv1.ListModelsResponse{TotalSize: int32(len(models)), Snapshot: r.Snapshot()}

	// The page begins after the last model of the page before, by name, so that it
	// stays right when a reload adds or removes models in between.
	rest := models[sort.Search(len(models), func(i int) bool { return page.before(models[i].Model) }):]
	size := int(req.GetPageSize())
	if size == 0 {
		size = defaultPageSize
	}
	if size < len(rest) {
		rest = rest[:size]
		page.provider, page.id = rest[size-1].Provider, rest[size-1].ID
		answer.NextPageToken = page.String()
	}
	answer.Models = make([]*adjutantv1.Model, len(rest))
	for i, m := range rest {
		answer.Models[i] = modelOf(m, page.asOf)
	}
	return answer, nil
}

// pageToken says where a page begins. It holds everything that the next page needs,
// so that any replica can answer it, at any time.
type pageToken struct {
	request      uint64    // fingerprint of the request
	asOf         time.Time // of the first page: "now" must not move from page to page
	provider, id string    // of the last model given
}

// before reports whether m comes after the last model given.
func (t pageToken) before(m *pricing.Model) bool {
	return cmp.Or(strings.Compare(t.provider, m.Provider), strings.Compare(t.id, m.ID)) < 0
}

const pageTokenVersion = 1

// String encodes the token for URLs.
func (t pageToken) String() string {
	b := []byte{pageTokenVersion}
	b = binary.BigEndian.AppendUint64(b, t.request)
	b = binary.BigEndian.AppendUint64(b, uint64(t.asOf.Unix()))
	b = append(b, t.provider+"/"+t.id...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePageToken(s string) (pageToken, bool) {
	const fixed = 1 + 8 + 8
	if len(s) > maxPageToken {
		return pageToken{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) <= fixed || b[0] != pageTokenVersion {
		return pageToken{}, false
	}
	t := pageToken{
		request: binary.BigEndian.Uint64(b[1:]),
		asOf:    time.Unix(int64(binary.BigEndian.Uint64(b[9:])), 0).UTC(),
	}
	var whole bool
	t.provider, t.id, whole = strings.Cut(string(b[fixed:]), "/")
	return t, whole && timestamppb.New(t.asOf).IsValid()
}

// fingerprint names what must not change from page to page.
func fingerprint(req *adjutantv1.ListModelsRequest) uint64 {
	same := proto.CloneOf(req)
	same.PageSize, same.PageToken = 0, ""
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(same)
	if err != nil {
		return 0 // text that is not UTF-8, which matches no model either
	}
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}
