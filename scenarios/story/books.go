package story

import (
	"context"
	"database/sql"
	"fmt"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// Books say what was backed up. They are a file of SQLite, and safe for use by several goroutines.
type Books struct{ db *sql.DB }

// Entry is a file that was backed up.
type Entry struct {
	Name, Checksum, Note string
	Size                 int
}

// OpenBooks opens the books, and makes them if there are none. The caller has to close them.
func OpenBooks(ctx context.Context, file string) (*Books, error) {
	db, err := sql.Open("sqlite3", "file:"+file+"?_busy_timeout=60000&_sync=0")
	if err != nil {
		return nil, fmt.Errorf("opening the books: %w", err)
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS files
		(name TEXT PRIMARY KEY, size INTEGER NOT NULL, checksum TEXT NOT NULL, note TEXT NOT NULL)`)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("opening the books: %w", err)
	}
	return &Books{db}, nil
}

// Close closes the books.
func (b *Books) Close() error { return b.db.Close() }

// Write makes an entry.
func (b *Books) Write(ctx context.Context, e Entry) error {
	_, err := b.db.ExecContext(ctx, `INSERT OR REPLACE INTO files (name, size, checksum, note) VALUES (?, ?, ?, ?)`,
		e.Name, e.Size, e.Checksum, e.Note)
	if err != nil {
		return fmt.Errorf("writing the books: %w", err)
	}
	return nil
}

// Read gives all entries by name.
func (b *Books) Read(ctx context.Context) (map[string]Entry, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT name, size, checksum, note FROM files ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("reading the books: %w", err)
	}
	defer rows.Close()
	entries := map[string]Entry{}
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.Name, &e.Size, &e.Checksum, &e.Note); err != nil {
			return nil, fmt.Errorf("reading the books: %w", err)
		}
		entries[e.Name] = e
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the books: %w", err)
	}
	return entries, nil
}
