// Submits a job, waits for its end, prints its log. Standard library only.
// CAPSTAN_API=http://127.0.0.1:8080 go run examples/clients/client.go
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

type job struct {
	ID         string  `json:"id"`
	Status     string  `json:"status"`
	FollowUpID *string `json:"followUpID"`
}

// call sends a request and decodes the answer into answer, unless it is nil.
func call(method, path string, body any, key string, answer any) error {
	api := os.Getenv("CAPSTAN_API")
	if api == "" {
		api = "http://127.0.0.1:8080"
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, api+"/api/v0"+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token := os.Getenv("CAPSTAN_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// wait waits for the end of a job and of the jobs that retry it.
func wait(id string) (job, error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		var found job
		if err := call("GET", "/jobs/"+id, nil, "", &found); err != nil {
			return found, err
		}
		if found.FollowUpID != nil {
			id = *found.FollowUpID
		} else if found.Status != "waiting" && found.Status != "running" && found.Status != "cancel_request" {
			return found, nil
		}
		time.Sleep(pause)
	}
}

func run() error {
	submission := map[string]any{
		"action": "sleep", "parameters": map[string]any{"seconds": 1}, "retries": 2, "deadline": "1m",
	}
	// The same key within a day is the same job, so this request may be repeated after an error.
	var submitted job
	if err := call("POST", "/jobs", submission, rand.Text(), &submitted); err != nil {
		return err
	}
	ended, err := wait(submitted.ID)
	if err != nil {
		return err
	}
	var lines []struct {
		Data string `json:"data"`
	}
	if err := call("GET", "/jobs/"+ended.ID+"/logs", nil, "", &lines); err != nil {
		return err
	}
	fmt.Println(ended.Status, lines)
	var other job
	if err := call("POST", "/jobs", map[string]any{"action": "sleep"}, "", &other); err != nil {
		return err
	}
	return call("POST", "/jobs/"+other.ID+"/cancel", nil, "", nil)
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
