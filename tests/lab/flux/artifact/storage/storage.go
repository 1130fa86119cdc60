// Package storage keeps the archives of sources in a folder: what
// source-controller calls of the package it stands in for, no more.
package storage

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/artifact/config"
	"github.com/fluxcd/pkg/artifact/digest"
	"github.com/fluxcd/pkg/sourceignore"
	"github.com/fluxcd/pkg/sourceignore/gitignore"
	godigest "github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Storage is a folder that a server offers at an address.
type Storage struct {
	folder, address string
	ttl             time.Duration
	locks           sync.Map
}

// ArchiveFileFilter says true for a path that is left out.
type ArchiveFileFilter func(path string, info os.FileInfo) bool

func New(options *config.Options) (*Storage, error) {
	info, err := os.Stat(options.StoragePath)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", options.StoragePath)
	}
	return &Storage{folder: options.StoragePath, address: options.StorageAdvAddress, ttl: options.ArtifactRetentionTTL}, nil
}

func (s *Storage) NewArtifactFor(kind string, object metav1.Object, revision, file string) meta.Artifact {
	path := filepath.Join(strings.ToLower(kind), object.GetNamespace(), object.GetName(), file)
	artifact := meta.Artifact{Path: path, Revision: revision}
	s.SetArtifactURL(&artifact)
	return artifact
}

func (s *Storage) SetArtifactURL(artifact *meta.Artifact) {
	if artifact != nil && artifact.Path != "" {
		artifact.URL = "http://" + s.address + "/" + strings.TrimLeft(artifact.Path, "/")
	}
}

func (s *Storage) SetHostname(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || address == "" {
		return address
	}
	parsed.Host = s.address
	return parsed.String()
}

func (s *Storage) LocalPath(artifact meta.Artifact) string {
	if artifact.Path == "" {
		return ""
	}
	return filepath.Join(s.folder, filepath.Clean("/"+artifact.Path))
}

func (s *Storage) parent(artifact meta.Artifact) string {
	return filepath.Dir(s.LocalPath(artifact))
}

func (s *Storage) MkdirAll(artifact meta.Artifact) error {
	return os.MkdirAll(s.parent(artifact), 0o700)
}

func (s *Storage) Remove(artifact meta.Artifact) error {
	return os.Remove(s.LocalPath(artifact))
}

func (s *Storage) RemoveAll(artifact meta.Artifact) (string, error) {
	folder := s.parent(artifact)
	if _, err := os.Stat(folder); err != nil {
		return "", nil
	}
	return folder, os.RemoveAll(folder)
}

func (s *Storage) ArtifactExist(artifact meta.Artifact) bool {
	info, err := os.Lstat(s.LocalPath(artifact))
	return err == nil && info.Mode().IsRegular()
}

func (s *Storage) VerifyArtifact(artifact meta.Artifact) error {
	wanted, err := godigest.Parse(artifact.Digest)
	if err != nil {
		return err
	}
	file, err := os.Open(s.LocalPath(artifact))
	if err != nil {
		return err
	}
	defer file.Close()
	verifier := wanted.Verifier()
	if _, err := io.Copy(verifier, file); err != nil {
		return err
	}
	if !verifier.Verified() {
		return fmt.Errorf("the file is not %s", wanted)
	}
	return nil
}

// GarbageCollect removes files older than the TTL, but the current one.
func (s *Storage) GarbageCollect(_ context.Context, current meta.Artifact, _ time.Duration) ([]string, error) {
	entries, err := os.ReadDir(s.parent(current))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var removed []string
	for _, entry := range entries {
		path := filepath.Join(s.parent(current), entry.Name())
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || path == s.LocalPath(current) || time.Since(info.ModTime()) < s.ttl {
			continue
		}
		if err := os.Remove(path); err != nil {
			return removed, err
		}
		removed = append(removed, path)
	}
	return removed, nil
}

// SourceIgnoreFilter leaves out what Git keeps for itself and what these
// patterns name; without any, what Flux leaves out by default.
func SourceIgnoreFilter(patterns []gitignore.Pattern, domain []string) ArchiveFileFilter {
	matcher := sourceignore.NewDefaultMatcher(patterns, domain)
	if len(patterns) > 0 {
		matcher = sourceignore.NewMatcher(append(sourceignore.VCSPatterns(domain), patterns...))
	}
	return func(path string, info os.FileInfo) bool {
		return matcher.Match(strings.Split(path, string(filepath.Separator)), info.IsDir())
	}
}

// Archive packs a folder. Headers carry no owner and no time, so that the same
// tree has the same digest.
func (s *Storage) Archive(artifact *meta.Artifact, folder string, skip ArchiveFileFilter) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	return s.write(artifact, func(to io.Writer) error {
		zipped := gzip.NewWriter(to)
		packed := tar.NewWriter(zipped)
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || path == folder {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() && !info.IsDir() || skip != nil && skip(path, info) {
				return nil
			}
			name, err := filepath.Rel(folder, path)
			if err != nil {
				return err
			}
			return add(packed, name, path, info)
		})
		return errors.Join(err, packed.Close(), zipped.Close())
	})
}

func add(packed *tar.Writer, name, path string, info os.FileInfo) error {
	header := &tar.Header{Name: filepath.ToSlash(name), Mode: int64(info.Mode().Perm())}
	if info.IsDir() {
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		return packed.WriteHeader(header)
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := packed.WriteHeader(header); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(packed, file)
	return err
}

func (s *Storage) Copy(artifact *meta.Artifact, from io.Reader) error {
	return s.write(artifact, func(to io.Writer) error {
		_, err := io.Copy(to, from)
		return err
	})
}

func (s *Storage) CopyFromPath(artifact *meta.Artifact, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return s.Copy(artifact, file)
}

// CopyToPath serves `spec.include`, which no test uses.
func (s *Storage) CopyToPath(*meta.Artifact, string, string) error {
	return errors.New("this storage does not know spec.include")
}

// write fills a file beside the artifact's and then moves it there.
func (s *Storage) write(artifact *meta.Artifact, fill func(io.Writer) error) error {
	file, err := os.CreateTemp(s.parent(*artifact), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	digester := digest.Canonical.Digester()
	if err := errors.Join(fill(io.MultiWriter(file, digester.Hash())), file.Close()); err != nil {
		return err
	}
	info, err := os.Stat(file.Name())
	if err != nil {
		return err
	}
	if err := os.Rename(file.Name(), s.LocalPath(*artifact)); err != nil {
		return err
	}
	size := info.Size()
	artifact.Digest, artifact.LastUpdateTime, artifact.Size = digester.Digest().String(), metav1.Now(), &size
	return nil
}

func (s *Storage) Symlink(artifact meta.Artifact, name string) (string, error) {
	link := filepath.Join(s.parent(artifact), name)
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return "", err
	}
	if err := os.Symlink(s.LocalPath(artifact), link); err != nil {
		return "", err
	}
	artifact.Path = filepath.Join(filepath.Dir(artifact.Path), name)
	s.SetArtifactURL(&artifact)
	return artifact.URL, nil
}

func (s *Storage) Lock(artifact meta.Artifact) (func(), error) {
	lock, _ := s.locks.LoadOrStore(s.LocalPath(artifact), &sync.Mutex{})
	lock.(*sync.Mutex).Lock()
	return lock.(*sync.Mutex).Unlock, nil
}
