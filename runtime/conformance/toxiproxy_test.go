package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// toxi is a toxiproxy in a process of its own.
type toxi struct{ url string }

func startToxi(t testing.TB) *toxi {
	t.Helper()
	env := []string{owner(), "TOXI_RUN=" + t.TempDir(), fmt.Sprintf("TOXI_PORT=%d", freePort())}
	url, err := runScript("toxiproxy.sh", env, "start")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runScript("toxiproxy.sh", env, "stop") })
	return &toxi{url}
}

// proxy makes the way from one address to another, under a name.
func (x *toxi) proxy(name, listen, upstream string) error {
	return x.ask("POST", "/proxies", map[string]any{"name": name, "listen": listen, "upstream": upstream, "enabled": true})
}

// toxic is what makes a way bad.
type toxic struct {
	Type       string         `json:"type"`
	Stream     string         `json:"stream"` // upstream: to the service; downstream: from it
	Attributes map[string]int `json:"attributes"`
}

func (x *toxi) spoil(proxy string, list ...toxic) error {
	for i, t := range list {
		body := map[string]any{"name": fmt.Sprint("t", i), "type": t.Type, "stream": t.Stream, "toxicity": 1.0, "attributes": t.Attributes}
		if err := x.ask("POST", "/proxies/"+proxy+"/toxics", body); err != nil {
			return err
		}
	}
	return nil
}

func (x *toxi) mend(proxy string, n int) error {
	for i := range n {
		if err := x.ask("DELETE", fmt.Sprintf("/proxies/%s/toxics/t%d", proxy, i), nil); err != nil {
			return err
		}
	}
	return nil
}

func (x *toxi) ask(method, path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, x.url+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("toxiproxy: %s %s: %s: %s", method, path, resp.Status, text)
	}
	return nil
}

// toxics of a kind of trouble, without the service's name.
func toxicsOf(what string) []toxic {
	both := func(kind string, attributes map[string]int) []toxic {
		return []toxic{{kind, "upstream", attributes}, {kind, "downstream", attributes}}
	}
	switch what {
	case "latency":
		return both("latency", map[string]int{"latency": 150, "jitter": 100})
	case "reset":
		return both("reset_peer", map[string]int{"timeout": 100})
	case "blackhole":
		return both("timeout", map[string]int{"timeout": 0})
	case "deaf":
		return []toxic{{"timeout", "upstream", map[string]int{"timeout": 0}}}
	case "mute":
		return []toxic{{"timeout", "downstream", map[string]int{"timeout": 0}}}
	}
	return nil
}
