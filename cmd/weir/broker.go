package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"weir/runtime/embed"
)

// serve runs the embedded broker until its standard input ends or it is interrupted.
func serve(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("broker", stderr)
	dir := fs.String("dir", "", "folder for its data; in memory without it")
	listen := fs.String("listen", "127.0.0.1:0", "host:port to listen on")
	topics := fs.String("topics", "", "topics to create, as name=partitions separated by commas")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	list, err := parseTopics(*topics)
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := embed.Serve(ctx, embed.Options{Dir: *dir, Listen: *listen, Topics: list, Control: os.Stdin, Events: stdout}); err != nil {
		return 0, err
	}
	return 0, nil
}

func parseTopics(text string) (map[string]int32, error) {
	topics := map[string]int32{}
	for field := range strings.SplitSeq(text, ",") {
		if field == "" {
			continue
		}
		name, number, _ := strings.Cut(field, "=")
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 1 || name == "" {
			return nil, fmt.Errorf("--topics: %q is not name=partitions", field)
		}
		topics[name] = int32(n)
	}
	return topics, nil
}
