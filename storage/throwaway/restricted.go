package throwaway

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	s3sdk "github.com/aws/aws-sdk-go-v2/service/s3"
)

// permits is a statement of a policy.
type permits struct {
	Effect    string
	Principal map[string][]string
	Action    []string
	Resource  string
}

// listing is the one action on the bucket itself; all others are on objects.
const listing = "s3:ListBucket"

// Restricted gives the same place with the credentials of a new user, who may do these actions in it and no others.
func (b Bucket) Restricted(t testing.TB, actions ...string) Bucket {
	t.Helper()
	cluster.mu.Lock()
	s := cluster.s3
	cluster.mu.Unlock()
	b.AccessKeyID, b.SecretAccessKey = fmt.Sprintf("user%d", s.next.Add(1)), "usersecret"
	program, err := findS3()
	if err != nil {
		t.Fatal(err)
	}
	create := exec.CommandContext(t.Context(), program, "admin", "create-user", "--access", b.AccessKeyID, "--secret", b.SecretAccessKey, "--role", "user")
	create.Env = append(os.Environ(), "ADMIN_ENDPOINT_URL="+b.Endpoint, "ADMIN_ACCESS_KEY="+bucketKey, "ADMIN_SECRET_KEY="+bucketPass)
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("making a user of the S3 server: %v\n%s", err, out)
	}
	who := map[string][]string{"AWS": {b.AccessKeyID}}
	resource := "arn:aws:s3:::" + b.Name
	if slices.Contains(actions, listing) {
		s.permit(t, permits{"Allow", who, []string{listing}, resource})
	}
	if others := slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a == listing }); len(others) > 0 {
		s.permit(t, permits{"Allow", who, others, resource + "/" + b.Prefix + "/*"})
	}
	return b
}

// permit adds to the policy of the bucket.
func (s *s3) permit(t testing.TB, more permits) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = append(s.policy, more)
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": s.policy})
	if err != nil {
		t.Fatal(err)
	}
	client := s3sdk.New(s3sdk.Options{
		BaseEndpoint: aws.String("http://" + s.address), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(bucketKey, bucketPass, ""),
	})
	if _, err := client.PutBucketPolicy(t.Context(), &s3sdk.PutBucketPolicyInput{Bucket: aws.String(bucketName), Policy: aws.String(string(text))}); err != nil {
		t.Fatal(err)
	}
}
