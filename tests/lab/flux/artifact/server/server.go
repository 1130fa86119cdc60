// Package server offers the storage over HTTP.
package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fluxcd/pkg/artifact/config"
)

func Start(ctx context.Context, o *config.Options) error {
	s := &http.Server{Addr: o.StorageAddress, Handler: http.FileServer(http.Dir(o.StoragePath)), ReadHeaderTimeout: 10 * time.Second}
	go func() { <-ctx.Done(); s.Close() }()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
