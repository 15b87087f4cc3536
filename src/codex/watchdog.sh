# Stops the process groups named on standard input when that input ends, which it does when the
# server is gone, however it went. Lines are "+ GROUP" and "- GROUP". A server that leaves in order
# has taken back all its groups, and then there is nothing to do.
trap '' HUP INT TERM
groups=' '
while read -r change group; do
    case $change in
    +) groups="$groups$group " ;;
    -) case $groups in
        *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;;
        esac ;;
    esac
done

send() {
    for group in $groups; do kill -s "$1" -- "-$group" 2>/dev/null; done
}

# Waits up to $1 tenths of a second for the groups to be gone.
gone_within() {
    tenths=$1
    while [ "$tenths" -gt 0 ]; do
        alive=
        for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && alive=yes; done
        [ -z "$alive" ] && return 0
        sleep 0.1
        tenths=$((tenths - 1))
    done
    return 1
}

[ "$groups" = ' ' ] && exit 0
send INT
gone_within 7 && exit 0
send TERM
gone_within 5 && exit 0
send KILL
