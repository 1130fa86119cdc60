// Package config holds the flags of the storage.
package config

import (
	"time"

	"github.com/spf13/pflag"
)

type Options struct {
	StoragePath              string
	StorageAddress           string
	StorageAdvAddress        string
	ArtifactRetentionTTL     time.Duration
	ArtifactRetentionRecords int
	ArtifactDigestAlgo       string
}

func (o *Options) BindFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.StoragePath, "storage-path", "", "The local storage path.")
	fs.StringVar(&o.StorageAddress, "storage-addr", ":9090", "The address the static file server binds to.")
	fs.StringVar(&o.StorageAdvAddress, "storage-adv-addr", "", "The advertised address of the static file server.")
	fs.DurationVar(&o.ArtifactRetentionTTL, "artifact-retention-ttl", time.Minute, "How long old artifacts are kept.")
	fs.IntVar(&o.ArtifactRetentionRecords, "artifact-retention-records", 2, "How many artifacts are kept.")
	fs.StringVar(&o.ArtifactDigestAlgo, "artifact-digest-algo", "sha256", "The digest algorithm.")
}
