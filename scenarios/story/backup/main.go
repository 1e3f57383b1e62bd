// Backup backs up the files of a folder into a pool of Ceph, and keeps its books in a file of SQLite.
//
//	backup -conf /etc/ceph/ceph.conf -pool NAME -books FILE [-prefix TEXT] [-owners] [-text freed|late|copied] FOLDER
//
// -text chooses the wrapper around the return codes of librados: the ones with a bug, or their twin. -owners has each
// file read with the rights of its owner, on threads that end.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cgogrind/cgogrind/scenarios/story"
)

func main() {
	conf := flag.String("conf", os.Getenv("CEPH_CONF"), "configuration `file` of the cluster")
	pool := flag.String("pool", "", "`name` of the pool")
	books := flag.String("books", "", "`file` of the books")
	text := flag.String("text", "copied", "`wrapper`: freed, late or copied")
	var job story.Job
	flag.StringVar(&job.Prefix, "prefix", "", "`text` that the objects' names begin with")
	flag.BoolVar(&job.Owners, "owners", false, "read each file with the rights of its owner")
	flag.Parse()
	texts := map[string]func(int) string{"freed": story.FreedText, "late": late, "copied": story.CopiedText}
	if flag.NArg() != 1 || *conf == "" || *pool == "" || *books == "" || texts[*text] == nil {
		fmt.Fprintln(os.Stderr, "backup: it needs -conf, -pool, -books and a folder")
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), &job, *conf, *pool, *books, texts[*text], flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "backup:", err)
		os.Exit(1)
	}
	fmt.Printf("%d files are backed up, and in the books\n", len(job.Files))
}

// late has somebody else say that there is a new file, and waits for that, before it reads the text.
func late(code int) string {
	said := make(chan struct{})
	return story.LateText(code, func() {
		go func() {
			fmt.Println("a new file")
			close(said)
		}()
		<-said
	})
}

func run(ctx context.Context, job *story.Job, conf, pool, books string, text func(int) string, folder string) (err error) {
	if job.Files, err = filepath.Glob(filepath.Join(folder, "*")); err != nil {
		return err
	}
	if job.Store, err = story.Open(conf, pool, text); err != nil {
		return err
	}
	defer job.Store.Close()
	if job.Books, err = story.OpenBooks(ctx, books); err != nil {
		return err
	}
	defer job.Books.Close()
	if err := job.Run(ctx); err != nil {
		return err
	}
	return job.Check(ctx)
}
