#!/usr/bin/env bash
# A SLURM cluster of one node on this machine, for tests: controller, node, accounting, two GPUs that
# are none (null devices). Needs root, no systemd. Everything is below DIR but three links in /etc/slurm.
#
#   cluster.sh install      Debian's packages, if they are missing
#   cluster.sh up DIR       start; returns when the node is idle
#   cluster.sh stop DIR     end the controller alone, as for an update
#   cluster.sh start DIR    and start it again
#   cluster.sh down DIR     end all of it
set -euo pipefail

PACKAGES="slurm-wlm slurmdbd slurm-wlm-mysql-plugin munge mariadb-server"
DATABASE_PORT=16830

install() {
  local missing=
  for program in slurmctld slurmd slurmdbd munged mariadbd; do
    command -v $program >/dev/null || missing=1
  done
  if [ -z "$missing" ]; then return; fi
  apt-get update -qq
  # The packages would start daemons with the settings of a real cluster.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm /usr/sbin/policy-rc.d' EXIT
  fi
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $PACKAGES >/dev/null
}

# Wait up to a minute for a command to succeed.
await() {
  local began=$SECONDS
  until timeout 15 "$@" >/dev/null 2>&1; do
    if ((SECONDS - began > 60)); then
      echo "cluster.sh: gave up waiting for: $*" >&2
      tail -n 20 "$D"/log/*.log >&2
      exit 1
    fi
    sleep 0.2
  done
}

write_configuration() {
  local host
  host=$(hostname -s)
  cat > "$D/slurm.conf" <<C
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthInfo=socket=$D/munge.sock
SlurmctldPidFile=$D/slurmctld.pid
SlurmctldLogFile=$D/log/slurmctld.log
StateSaveLocation=$D/state
SlurmdPidFile=$D/slurmd.pid
SlurmdLogFile=$D/log/slurmd.log
SlurmdSpoolDir=$D/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
KillWait=5
MinJobAge=300
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
# Jobs that use more memory than they asked for are ended (without control groups: by looking).
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePass=$D/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations
AccountingStoreFlags=job_comment
# More memory than there may be, so that jobs can ask for what their rules say.
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=long Nodes=$host Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=accelerated Nodes=$host MaxTime=2-00:00:00 State=UP
C
  echo "NodeName=$host Name=gpu File=$D/gpu[0-1]" > "$D/gres.conf"
  cat > "$D/slurmdbd.conf" <<C
AuthType=auth/munge
AuthInfo=socket=$D/munge.sock
DbdHost=$host
DbdAddr=127.0.0.1
SlurmUser=root
PidFile=$D/slurmdbd.pid
LogFile=$D/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$DATABASE_PORT
StorageUser=slurm
StoragePass=slurm
C
  chmod 600 "$D/slurmdbd.conf"
  mkdir -p /etc/slurm
  for name in slurm gres slurmdbd; do ln -s "$D/$name.conf" "/etc/slurm/$name.conf"; done
}

start_accounting() {
  mariadb-install-db --no-defaults --user=root --datadir="$D/database" --skip-test-db \
    --auth-root-authentication-method=normal > "$D/log/database.log" 2>&1
  mariadbd --no-defaults --user=root --datadir="$D/database" --socket="$D/database.sock" \
    --bind-address=127.0.0.1 --port=$DATABASE_PORT --skip-name-resolve \
    --pid-file="$D/database.pid" >> "$D/log/database.log" 2>&1 &
  await mariadb --no-defaults --socket="$D/database.sock" -e 'SELECT 1'
  mariadb --no-defaults --socket="$D/database.sock" \
    -e "GRANT ALL ON slurm_acct_db.* TO slurm@127.0.0.1 IDENTIFIED BY 'slurm'"
  slurmdbd
  await sacctmgr -n show cluster
  sacctmgr -i add cluster test > "$D/log/accounts.log"
  sacctmgr -i add account research cluster=test >> "$D/log/accounts.log"
  sacctmgr -i add user "$(id -un)" account=research cluster=test >> "$D/log/accounts.log"
}

up() {
  for name in slurm gres slurmdbd; do
    if [ -e "/etc/slurm/$name.conf" ] || [ -L "/etc/slurm/$name.conf" ]; then
      echo "cluster.sh: there is /etc/slurm/$name.conf already; no test cluster beside another" >&2
      exit 1
    fi
  done
  mkdir -p "$D"/{state,spool,log}
  mknod "$D/gpu0" c 1 3
  mknod "$D/gpu1" c 1 3
  head -c 1024 /dev/urandom > "$D/munge.key"
  chmod 400 "$D/munge.key"
  write_configuration
  munged --force --socket="$D/munge.sock" --key-file="$D/munge.key" --pid-file="$D/munged.pid" \
    --log-file="$D/log/munged.log" --seed-file="$D/munge.seed"
  start_accounting
  slurmctld
  slurmd
  await sh -c 'sinfo -h -o %T | grep -q idle'
}

# End a daemon by the process id that it left, and wait for it.
end() {
  local pid
  pid=$(cat "$D/$1.pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    if ! kill -0 "$pid" 2>/dev/null; then return; fi
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
}

ours() { [ "$(readlink "/etc/slurm/$1.conf")" = "$D/$1.conf" ]; }

down() {
  # Never on a cluster that was there before.
  if ours slurm && timeout 15 scancel --full --user="$(id -un)" 2>/dev/null; then await sh -c 'test -z "$(squeue -h)"'; fi
  for daemon in slurmd slurmctld slurmdbd database munged; do end "$daemon"; done
  for name in slurm gres slurmdbd; do
    if ours $name; then rm "/etc/slurm/$name.conf"; fi
  done
}

command=$1
if [ "$command" = install ]; then
  install
  exit
fi
mkdir -p "$2"
D=$(realpath "$2")
case $command in
  up) up ;;
  stop) end slurmctld ;;
  start) slurmctld; await sinfo ;;
  down) down ;;
  *) echo "usage: cluster.sh install | up DIR | stop DIR | start DIR | down DIR" >&2; exit 2 ;;
esac
