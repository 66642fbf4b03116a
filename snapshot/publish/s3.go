package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sluicehq/sluice/snapshot"
)

const (
	// tries bounds the attempts at one request; the next pass is the next chance.
	tries = 3
	// requestLimit bounds one request with all its tries.
	requestLimit = 30 * time.Second
	contentType  = "application/json"
)

// S3Options say where an object store is and how to sign in.
type S3Options struct {
	Endpoint string // https://s3.eu-central-1.amazonaws.com, or that of whatever speaks like it
	Bucket   string
	Prefix   string // of the keys, such as production/
	Region   string
	// AccessKey and SecretKey sign in. Without them the role of the machine or of the service account
	// does, as AWS hands it out.
	AccessKey, SecretKey string
	RootCAs              *x509.CertPool // nil for the system's
}

// S3 keeps snapshots in a bucket of an object store that speaks S3.
type S3 struct {
	client         *minio.Client
	bucket, prefix string
}

// NewS3 checks the options; it does not connect.
func NewS3(o S3Options) (*S3, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("endpoint: want a URL such as https://s3.eu-central-1.amazonaws.com")
	}
	creds := credentials.NewIAM("")
	if o.AccessKey != "" {
		creds = credentials.NewStaticV4(o.AccessKey, o.SecretKey, "")
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: creds, Secure: u.Scheme == "https", Region: o.Region, MaxRetries: tries, Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 15 * time.Second,
		MaxIdleConnsPerHost:   atOnce,
		IdleConnTimeout:       90 * time.Second,
	}})
	if err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	return &S3{client: client, bucket: o.Bucket, prefix: o.Prefix}, nil
}

// Files lists the snapshots directly below the prefix. Their marks are the ETags.
func (s *S3) Files(ctx context.Context) (map[string]string, error) {
	files := map[string]string{}
	for o := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix}) {
		if o.Err != nil {
			return nil, o.Err
		}
		file := strings.TrimPrefix(o.Key, s.prefix)
		if _, ok := snapshot.ProfileOf(file); ok {
			files[file] = strings.Trim(o.ETag, `"`)
		}
	}
	return files, nil
}

// Read returns an object.
func (s *S3) Read(ctx context.Context, file string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	o, err := s.client.GetObject(ctx, s.bucket, s.prefix+file, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(o, snapshot.MaxSize+1))
	return raw, errors.Join(err, o.Close())
}

// Write replaces an object, which a store does as a whole.
func (s *S3) Write(ctx context.Context, file string, content []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	info, err := s.client.PutObject(ctx, s.bucket, s.prefix+file, bytes.NewReader(content), int64(len(content)),
		minio.PutObjectOptions{ContentType: contentType, CacheControl: "no-cache", DisableMultipart: true})
	return strings.Trim(info.ETag, `"`), err
}

// Remove takes an object away.
func (s *S3) Remove(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return s.client.RemoveObject(ctx, s.bucket, s.prefix+file, minio.RemoveObjectOptions{})
}
