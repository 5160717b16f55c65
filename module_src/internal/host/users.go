// SPDX-License-Identifier: GPL-3.0-or-later

package host

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// account is a line of passwd(5).
type account struct {
	name, home, shell string
	uid, gid          int
}

// group is a line of group(5).
type group struct {
	name    string
	gid     int
	members []string
}

// nameLookup finds a row of a name database by one of its fields. It looks in
// the file first and then asks getent, since users of LDAP or SSSD are in no
// file and a statically linked program has no NSS. It is no error if there is
// no row.
func nameLookup(ctx context.Context, database string, field int, key string) (row []string, err error) {
	content, err := readDatabase(database)
	if row := findRow(content, field, key); row != nil || err != nil {
		return row, err
	}
	path, err := find(getentPaths[:])
	if path == "" {
		return nil, err
	}
	out, err := program{path: path, args: []string{"--", database, key}}.run(ctx)
	if err != nil {
		return nil, err
	}
	// A status of 2 means that the key was not found: getent(1).
	if out.status != 0 && out.status != 2 {
		return nil, fmt.Errorf("cannot look up %q in %s: getent exits with status %d: %s", key, database, out.status, clip(out.all(), maxWord))
	}
	return findRow(out.stdout, field, key), nil
}

// readDatabase reads the file of a name database; where there is none, there
// is nothing in it.
func readDatabase(name string) (string, error) {
	path := "/etc/" + name
	content, err := os.ReadFile(path)
	_, err = seen(path, err)
	return string(content), err
}

func findRow(text string, field int, key string) []string {
	for line := range strings.Lines(text) {
		row := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(row) >= 4 && row[field] == key {
			return row
		}
	}
	return nil
}

// lookupUser finds an account by name; found is false where there is none.
func lookupUser(ctx context.Context, name string) (a account, found bool, err error) {
	row, err := nameLookup(ctx, "passwd", 0, name)
	if err != nil || len(row) < 7 {
		return account{}, false, err
	}
	uid, uidErr := strconv.Atoi(row[2])
	gid, gidErr := strconv.Atoi(row[3])
	if uidErr != nil || gidErr != nil {
		return account{}, false, fmt.Errorf("cannot read the account of %q: its ids are %q and %q", name, row[2], row[3])
	}
	return account{name: row[0], uid: uid, gid: gid, home: row[5], shell: row[6]}, true, nil
}

func lookupGroup(ctx context.Context, name string) (group, bool, error) {
	return groupBy(ctx, 0, name)
}

func lookupGroupID(ctx context.Context, gid int) (group, bool, error) {
	return groupBy(ctx, 2, strconv.Itoa(gid))
}

func groupBy(ctx context.Context, field int, key string) (group, bool, error) {
	row, err := nameLookup(ctx, "group", field, key)
	if err != nil || len(row) < 4 {
		return group{}, false, err
	}
	gid, err := strconv.Atoi(row[2])
	if err != nil {
		return group{}, false, fmt.Errorf("cannot read the group %q: its id is %q", row[0], row[2])
	}
	g := group{name: row[0], gid: gid}
	if row[3] != "" {
		g.members = strings.Split(row[3], ",")
	}
	return g, true, nil
}

// groupsOf are the ids of the groups in /etc/group that list the user. Groups
// from other sources are left out, so reading with these groups may be refused
// where the user would be allowed to read, and never the other way round.
func groupsOf(user string) (gids []int, err error) {
	content, err := readDatabase("group")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(content) {
		row := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(row) != 4 || !slices.Contains(strings.Split(row[3], ","), user) {
			continue
		}
		if gid, err := strconv.Atoi(row[2]); err == nil {
			gids = append(gids, gid)
		}
	}
	return gids, nil
}

// primaryMember is a user of /etc/passwd whose own group it is, or "".
func primaryMember(gid int) (string, error) {
	content, err := readDatabase("passwd")
	if row := findRow(content, 3, strconv.Itoa(gid)); row != nil {
		return row[0], err
	}
	return "", err
}

// onlyCase finds, for each of the names, another one in a name database that
// differs from it only in case: in the file and, for a name that is not in
// lower case, in whatever else getent asks, by its lower case.
func onlyCase(ctx context.Context, database string, names []string) (map[string]string, error) {
	content, err := readDatabase(database)
	if err != nil {
		return nil, err
	}
	others := map[string]string{}
	for _, name := range names {
		for line := range strings.Lines(content) {
			if other, _, _ := strings.Cut(line, ":"); other != name && strings.EqualFold(other, name) {
				others[name] = other
			}
		}
		lower := strings.ToLower(name)
		if lower == name || others[name] != "" {
			continue
		}
		row, err := nameLookup(ctx, database, 0, lower)
		if err != nil {
			return nil, err
		}
		if row != nil {
			others[name] = lower
		}
	}
	return others, nil
}
