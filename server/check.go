package server

import (
	"context"
	"log/slog"
)

// Check does all that a start does before it listens: it reads the files, the keys
// and the certificates. It gives the digest of the snapshot, or everything that is
// wrong.
func Check(ctx context.Context, config Config) (snapshot string, err error) {
	if err := config.Validate(); err != nil {
		return "", err
	}
	loaded, err := loadState(config)
	if err != nil {
		return "", err
	}
	if config.Auth.JWT.JWKS != "" {
		if _, err := newSignedTokens(ctx, config.Auth.JWT, slog.New(slog.DiscardHandler)); err != nil {
			return "", err
		}
	}
	return loaded.router.Snapshot(), nil
}
