# shellcheck shell=sh
# The keeper: starts what a suite needs of Ceph, and clears it away as soon as the suite has ended, however it ended.
#
# Standard input is a pipe whose other end only the suite's process holds: the end of file is the order to clear away.
# Other orders are lines, and may be given once the manager serves: "stop" ends the OSD, which keeps what it stores, "start"
# starts it again. Descriptor 3 is this script. On standard output the keeper reports, one line each:
#
#	directory PATH	the temporary directory, which holds every file
#	step TEXT	what it does now
#	ready		the pool can be read and written
#	manager		the manager serves statistics
#	done		the last order is carried out
#	error TEXT	what went wrong; the keeper goes on holding everything, logs included, until the end of file
#
# Arguments: "own" POOL FILES PORT... starts a cluster whose monitor listens on the first of these ports that it gets, with
# a file system of that name unless FILES is empty; "keyed" POOL FILES PORT... one that wants keys of everybody, with those of
# its daemons and of client.admin in DIRECTORY/keyring; "borrow" POOL makes a pool in the cluster that CEPH_CONF names. Exit
# status: 0 if nothing is left, 1 if a pool is.

mode=$1 pool=$2 files=${3-}
[ "$mode" = borrow ] || shift 3

dir='' monitor='' storage='' manager='' metadata='' command='' watcher='' connected='' keys=''
auth=none
[ "$mode" != keyed ] || auth=cephx

say() { echo "$*" >&4; }

# alive PID: whether that child of the keeper runs. A number that went to somebody else's process does not count.
alive() {
	[ -n "$1" ] || return 1
	{ read -r _ _ state parent _ <"/proc/$1/stat"; } 2>/dev/null && [ "$parent" = $$ ] && [ "$state" != Z ]
}

# clear_away removes everything and ends. The daemons hold nothing worth keeping: they get no time to end by themselves.
clear_away() {
	trap '' USR1
	# $! is there for a child that was started the moment before and has no name yet
	for child in $watcher $command $!; do
		! alive "$child" || kill -KILL "$child"
	done
	status=0
	[ -z "$connected" ] || delete_pools || status=1
	for child in $monitor $storage $manager $metadata; do
		! alive "$child" || kill -KILL "$child"
	done
	wait
	cd /
	[ -z "$dir" ] || rm -rf -- "$dir"
	exit "$status"
}

# delete_pools deletes the suite's pool and those named after it.
delete_pools() {
	if ! timeout -s KILL 60 rados lspools >"$dir/pools"; then
		say "error finding the pools to delete ($pool and $pool-*) failed: $(last_words)"
		return 1
	fi
	while read -r name; do
		case $name in
		"$pool" | "$pool"-*)
			if ! timeout -s KILL 60 ceph osd pool rm "$name" "$name" --yes-i-really-really-mean-it </dev/null; then
				say "error deleting pool $name failed: $(last_words)"
				return 1
			fi
			;;
		esac
	done <"$dir/pools"
}

last_words() { tail -n 3 "$dir/keeper.log" | tr '\n' ' '; }

# fail reports and waits for the end of file, which ends in clear_away.
fail() {
	say "error $*"
	wait "$watcher"
	clear_away
}

# step TEXT COMMAND...: runs the command to its end; fails if it fails or a daemon ends meanwhile.
step() {
	text=$1
	shift
	say "step $text"
	"$@" >&2 3<&- 4>&- &
	command=$!
	while alive "$command"; do
		for daemon in $monitor $storage $manager $metadata; do
			alive "$daemon" || fail "$text failed: a daemon ended"
		done
		sleep 0.02
	done
	wait "$command" || fail "$text failed"
	command=''
}

# daemon NAME COMMAND...: starts a daemon; $! is its process.
daemon() {
	name=$1
	shift
	"$@" -f -c "$dir/ceph.conf" >>"$dir/$name.log" 2>&1 3<&- 4>&- &
}

# listens PID PORT: whether that process listens on that port of 127.0.0.1. Trying the port is not enough: somebody
# else, another suite's monitor even, may have been faster.
listens() {
	inode=$(awk -v "local=0100007F:$(printf %04X "$2")" '$2 == local && $4 == "0A" { print $10 }' /proc/net/tcp)
	[ -n "$inode" ] && [ -n "$(find "/proc/$1/fd" -lname "socket:?$inode?" 2>/dev/null)" ]
}

# configure PORT: writes the cluster's configuration, the suite's included.
configure() {
	cat >"$dir/ceph.conf" <<END
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$1
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
auth cluster required = $auth
auth service required = $auth
auth client required = $auth
run dir = $dir
crash dir = $dir
keyring = $dir/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off

[mon]
log file = $dir/\$name.log
# without its admin socket a daemon does not answer "ceph tell"; relative, because the path of a socket must be short
admin socket = \$name.asok
# no more tries: the keeper takes another port
ms bind retry count = 1
# a change of the maps waits this long for others, by default one second
paxos propose interval = 0.02
paxos min wait = 0.01
mon allow pool delete = true
mon allow pool size one = true
auth allow insecure global id reclaim = false
mon warn on pool no redundancy = false
mon warn on pool no app = false
mon data avail warn = 0
mon data avail crit = 0

[osd]
log file = $dir/\$name.log
admin socket = \$name.asok
osd objectstore = memstore
osd crush chooseleaf type = 0
osd class update on start = false
# a memstore is written down when it is unmounted, which a fast shutdown leaves out
osd fast shutdown = false
$(class_dir)

[mgr]
log file = $dir/\$name.log
admin socket = \$name.asok
# no Python modules: statistics do not need them, and loading them takes seconds
mgr module path = $dir/modules
mgr stats period = 1

[mds]
log file = $dir/\$name.log
admin socket = \$name.asok
END
}

# class_dir names the folder of the OSD's object classes where Ceph's default is a relative path, as in Debian 13: the OSD runs
# in a folder of its own, and without the classes it answers locks and exec with EOPNOTSUPP.
class_dir() {
	default=$(ceph-conf -c /dev/null --show-config-value osd_class_dir 2>/dev/null) || return 0
	case $default in
	/* | '') return 0 ;;
	esac
	for prefix in /usr '' /usr/local; do
		if [ -d "$prefix/$default" ]; then
			echo "osd class dir = $prefix/$default"
			return 0
		fi
	done
}

# start_monitor PORT...
start_monitor() {
	for port; do
		rm -rf -- "$dir/mon" "$dir/monmap"
		mkdir "$dir/mon"
		configure "$port"
		step "making the monitor map" monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$port]" "$dir/monmap"
		step "making the monitor's store" \
			ceph-mon --mkfs -i a --monmap "$dir/monmap" --mon-data "$dir/mon" ${keys:+"--keyring=$keys"} -c "$dir/ceph.conf"
		say "step starting the monitor on port $port"
		daemon mon.a ceph-mon -i a --mon-data "$dir/mon"
		monitor=$!
		while alive "$monitor"; do
			! listens "$monitor" "$port" || return
			sleep 0.02
		done
		monitor=''
	done
	fail "starting the monitor failed on each of the ports $*"
}

own() {
	unset CEPH_ARGS CEPH_KEYRING CEPH_LIB
	cd "$dir" || fail "entering $dir failed"
	export CEPH_CONF="$dir/ceph.conf"
	fsid=$(cat /proc/sys/kernel/random/uuid)
	uuid=$(cat /proc/sys/kernel/random/uuid)
	mkdir osd mgr modules
	[ "$auth" = none ] || make_keys
	start_monitor "$@"
	step "registering the OSD" ceph osd new "$uuid" 0
	step "making the OSD's store" ceph-osd --mkfs -i 0 --osd-uuid "$uuid" --osd-data "$dir/osd" -c "$dir/ceph.conf"
	start_osd
	[ -z "$files" ] || start_mds
}

# make_keys makes the keys of the daemons and of client.admin. The monitor's store takes them over.
make_keys() {
	keys=$dir/keyring
	step "making the monitor's key" ceph-authtool --create-keyring "$keys" --gen-key -n mon. --cap mon 'allow *'
	step "making the administrator's key" ceph-authtool "$keys" --gen-key -n client.admin \
		--cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' --cap mds 'allow *'
	step "making the OSD's key" ceph-authtool "$keys" --gen-key -n osd.0 \
		--cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd'
	step "making the manager's key" ceph-authtool "$keys" --gen-key -n mgr.a \
		--cap mon 'allow profile mgr' --cap osd 'allow *'
	[ -z "$files" ] || step "making the metadata server's key" ceph-authtool "$keys" --gen-key -n mds.a \
		--cap mon 'allow profile mds' --cap osd 'allow *'
}

start_osd() {
	daemon osd.0 ceph-osd -i 0 --osd-data "$dir/osd"
	storage=$!
}

start_mds() {
	daemon mds.a ceph-mds -i a
	metadata=$!
}

# make_files makes the file system, which the metadata server takes as soon as it is there, and waits until it serves it.
make_files() {
	for part in metadata data; do
		step "creating pool $files-$part" ceph osd pool create "$files-$part"
	done
	step "making file system $files" ceph fs new "$files" "$files-metadata" "$files-data"
	until grep -q up:active "$dir/mds.stat" 2>/dev/null; do
		step "waiting for the metadata server" ceph mds stat -o "$dir/mds.stat"
	done
}

# stop_osd lets the OSD write down what it stores, but not for longer than a minute.
stop_osd() {
	! alive "$storage" || kill -TERM "$storage"
	patience=1200
	while alive "$storage"; do
		patience=$((patience - 1))
		[ "$patience" -gt 0 ] || kill -KILL "$storage"
		sleep 0.05
	done
	storage=''
}

# obey carries out orders until the end of file.
obey() {
	while read -r order; do
		case $order in
		stop) stop_osd ;;
		start) [ -n "$storage" ] || start_osd ;;
		esac
		say "done"
	done
}

# Nothing but the end of the suite ends the keeper. Commands inherit this: only SIGKILL ends one that hangs.
trap '' PIPE TERM INT HUP QUIT
trap clear_away USR1
exec 3<&0 4>&1 </dev/null >/dev/null
{
	while read -r _; do :; done
	kill -USR1 $$
} <&3 3<&- 4>&- &
watcher=$!

if ! dir=$(umask 077 && cd -- "${TMPDIR:-/tmp}" && mktemp -d "$PWD/cgogrind-ceph-XXXXXX" 2>&1); then
	message=$dir
	dir=''
	fail "making a temporary directory in ${TMPDIR:-/tmp} failed: $message"
fi
exec 2>>"$dir/keeper.log"
say "directory $dir"

if [ "$mode" = borrow ]; then
	step "connecting" rados lspools
	connected=yes
else
	own "$@"
fi
step "creating pool $pool" ceph osd pool create "$pool"
# answered as soon as the pool's placement groups are active
step "writing to pool $pool" rados -p "$pool" put usable "$dir/keeper.log"
step "removing from pool $pool" rados -p "$pool" rm usable
[ "$mode" = borrow ] || [ -z "$files" ] || make_files
say ready

if [ "$mode" != borrow ]; then
	daemon mgr.a ceph-mgr -i a --mgr-data "$dir/mgr"
	manager=$!
	step "muting the manager's missing modules" ceph health mute MGR_MODULE_ERROR --sticky
fi
# a command of the manager's own: it waits until there is one
step "waiting for the manager" ceph pg stat
# From here on this shell itself reads, so that an order finds it idle.
kill -KILL "$watcher"
wait "$watcher"
watcher=''
say manager
obey <&3
clear_away
