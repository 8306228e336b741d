/**
 * Every word of keepalived.conf that has no directive of lvs.cf, and what becomes of its duty: one row for those that
 * share a sentence. What stands in neither the importer nor here is told as unknown.
 *
 * Source: keepalived.conf(5) 2.2.7, every block of it.
 */
import type { NoteKind, Notes } from './keepalived-notes.ts';
import type { Entry } from './keepalived-syntax.ts';

const ANNOUNCED = 'announcements are verified and repeated by default; drop it';
const MAIL = 'no mail is sent; active_cmd and inactive_cmd run a program at a change of role';
const SCRIPTED =
  'no script, process, file or BFD session decides who is active; have it run `piranha maintenance on` and `off`';
const PROCESS = 'threads, priorities and memory are settled by the program; drop it';
const ROUTES =
  'routes and rules are left to the network configuration of the system; active_cmd can add them';
const MULTICAST = 'heartbeats go by unicast between the two directors; drop it';
const VMAC =
  'a VIP answers with the address of its interface, which is announced and verified; drop it';
const NAMESPACE =
  'the director runs where it is started: ip netns exec, or NetworkNamespacePath= of its unit';
const FIREWALL = 'the director keeps its own table in nftables; drop it';
const SNMP =
  'there is no SNMP, DBus or FIFO; `piranha status` and `piranha services` tell the state';
const BINDING = 'checks leave by the address and port that the kernel chooses';
const REGEX = 'http_body is an extended regular expression without options';
const FLAGS = 'flags of schedulers are not passed on';

// biome-ignore format: a table, one row a line
const ROWS: readonly (readonly [kind: NoteKind, sentence: string, words: string])[] = [
  ['needless', ANNOUNCED, 'garp_master_delay garp_master_repeat garp_lower_prio_delay garp_lower_prio_repeat garp_master_refresh_repeat garp_extra_if vmac_garp_intvl vrrp_vmac_garp_intvl garp_group garp_interval gna_interval vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_master_refresh_repeat vrrp_garp_interval vrrp_gna_interval vrrp_min_garp vrrp_garp_extra_if'],
  ['needless', 'a director that gives way tells its partner, and the one that stays announces again; drop it', 'higher_prio_send_advert vrrp_higher_prio_send_advert lower_prio_no_advert vrrp_lower_prio_no_advert'],
  ['lost', MAIL, 'smtp_alert smtp_alert_vrrp smtp_alert_checker notification_email notification_email_from smtp_server smtp_helo_name smtp_connect_timeout email_faults no_email_faults no_checker_emails rs_init_notifies'],
  ['needless', 'a director is known by its address, and listens for its partner before it acts; drop it', 'router_id vrrp_startup_delay vrrp_delay_after_boot log_unknown_vrids'],
  ['lost', 'a table is told to the partner by syncdaemon = 1 and syncd_iface; keepalived, too, wants it in global_defs', 'lvs_sync_daemon_interface'],
  ['needless', 'a pair is known by its two addresses and its heartbeat_port; drop it', 'virtual_router_id'],
  ['needless', MULTICAST, 'vrrp_mcast_group4 vrrp_mcast_group6 mcast_dst_ip version vrrp_version native_ipv6 unicast_ttl old_unicast_checksum unicast_fault_no_peer check_unicast_src vrrp_check_unicast_src owner_ignore_adverts vrrp_owner_ignore_adverts v3_checksum_as_v2 skip_check_adv_addr vrrp_skip_check_adv_addr strict_mode vrrp_strict kernel_rx_buf_size vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier vrf disable_local_igmp'],
  ['needless', VMAC, 'use_vmac use_vmac_addr vmac_xmit_base vmac_prefix vmac_addr_prefix use_ipvlan'],
  ['changed', 'whoever listens on the VIP answers; no_accept needs a rule in nftables', 'no_accept'],
  ['needless', 'it is always so; drop it', 'accept preempt alpha ha_suspend lvs_flush process_names promote_secondaries use_pid_dir track_src_ip enable_script_security'],
  ['lost', SCRIPTED, 'track_script vrrp_script track_process vrrp_track_process track_file vrrp_track_file track_bfd bfd_instance sync_group_tracking_weight global_tracking'],
  ['lost', 'no file and no BFD session takes a server out; a program that looks at them can: check = program', 'BFD_CHECK FILE_CHECK'],
  ['lost', ROUTES, 'virtual_routes virtual_rules no_virtual_ipaddress static_routes static_rules'],
  ['lost', 'addresses that do not move belong to the network configuration of the system', 'static_ipaddress track_group default_interface'],
  ['lost', 'hooks run at a change to active or standby only; `piranha status` tells the rest', 'notify_stop notify_deleted notify_master_rx_lower_pri notify_priority_changes vrrp_notify_priority_changes notify_up notify_down'],
  ['lost', 'programs started with the director belong to its unit: ExecStartPre= and ExecStopPost=', 'startup_script startup_script_timeout shutdown_script shutdown_script_timeout'],
  ['changed', 'hooks run as the director, checks by program as user 65534; drop it', 'script_user'],
  ['lost', SNMP, 'snmp_socket enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps enable_snmp_keepalived enable_dbus dbus_service_name dbus_no_interface_name notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script fifo_write_vrrp_states_on_reload snmp_name snmp_vs_stats_update_interval snmp_rs_stats_update_interval json_version json_dump_file stats_dump_file state_dump_file'],
  ['needless', PROCESS, 'process_name vrrp_process_name checker_process_name lvs_process_name bfd_process_name set_supplementary_groups timer_expired_backup thread_timer_expired iproute_usr_dir iproute_etc_dir use_symlink_paths max_auto_priority min_auto_priority_delay vrrp_priority checker_priority bfd_priority vrrp_no_swap checker_no_swap bfd_no_swap vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity vrrp_rt_priority checker_rt_priority bfd_rt_priority vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rtime bfd_rlimit_rtime child_wait_time umask random_seed tmp_config_directory config_save_dir data_use_instance'],
  ['needless', 'netlink is read by buffers that are large enough; drop it', 'vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force'],
  ['lost', NAMESPACE, 'net_namespace net_namespace_ipvs namespace_with_ipsets instance'],
  ['needless', FIREWALL, 'nftables nftables_priority nftables_counters nftables_ifindex nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark vrrp_iptables iptables vrrp_ipsets'],
  ['needless', 'the kernel tells the state of links; drop it', 'linkbeat_use_polling linkbeat_interfaces dynamic_interfaces interface_up_down_delays'],
  ['needless', 'a file is checked whole before it is used, and `piranha reload` reads it; drop it', 'reload_check_config include_check reload_time_file reload_repeat reload_file'],
  ['changed', 'the table in the kernel is left as it is when the director stops, and taken over at its start', 'lvs_flush_on_stop lvs_flush_onstop omega'],
  ['lost', 'the level of the log is fixed', 'debug checker_log_all_failures log_all_failures'],
  ['lost', FLAGS, 'hashed flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback'],
  ['lost', 'packets of UDP are not scheduled one by one; they follow the entry of their connection', 'ops'],
  ['lost', 'persistence goes by the address of the client only', 'persistence_engine'],
  ['needless', 'the family is that of the VIP; drop it', 'ip_family'],
  ['lost', 'a sorry server is removed as soon as a real server is back', 'sorry_server_inhibit'],
  ['lost', 'connection thresholds are not set; the scheduler wlc evens out what a server holds', 'uthreshold lthreshold'],
  ['lost', BINDING, 'bindto bind_if bind_port fwmark'],
  ['needless', 'probes of different servers are spread by themselves; drop it', 'warmup fast_recovery'],
  ['lost', 'the answer is judged by http_status and http_body; a digest is not computed', 'digest'],
  ['lost', REGEX, 'regex_no_match regex_options regex_stack regex_min_offset regex_max_offset'],
  ['needless', 'requests are HTTP/1.1, one a connection; drop it', 'http_protocol'],
  ['needless', 'the name is always sent: tls_name, or that of http_host; drop it', 'enable_sni tls_compliant'],
  ['lost', 'a check says up or down only; load_monitor adapts a weight to the load of its server', 'misc_dynamic'],
  ['lost', 'any answer will do, of whatever length', 'min_reply_length max_reply_length'],
  ['lost', 'no client certificate is shown to real servers; tls_verify = 1 trusts the roots of this machine', 'SSL'],
];

const LEFT: ReadonlyMap<string, { readonly kind: NoteKind; readonly sentence: string }> = new Map(
  ROWS.flatMap(([kind, sentence, words]) =>
    words.split(' ').map((word) => [word, { kind, sentence }] as const),
  ),
);

/** A word that has no handler. */
export function leave(entry: Entry, notes: Notes): void {
  const row = LEFT.get(entry.key);
  notes.add(row?.kind ?? 'lost', entry, row?.sentence ?? UNKNOWN);
}

const UNKNOWN = 'no such word is known; it is left out';

export type Handlers = { readonly [key: string]: (entry: Entry) => void };

/** Of the words that have handlers, those with a block behind them; checkers are read by themselves. */
const BLOCKS: ReadonlySet<string> = new Set(
  [
    'global_defs vrrp_instance vrrp_sync_group virtual_server_group virtual_server real_server group url host',
    'unicast_peer virtual_ipaddress virtual_ipaddress_excluded track_interface authentication',
  ].flatMap((words) => words.split(' ')),
);

/** Every statement to its handler; what has none is told, and so is a block that is missing or makes no sense. */
export function walk(entries: readonly Entry[], handlers: Handlers, notes: Notes): void {
  for (const entry of entries) {
    const handler = Object.hasOwn(handlers, entry.key) ? handlers[entry.key] : undefined;
    if (handler === undefined) {
      leave(entry, notes);
      continue;
    }
    handler(entry);
    const hasBlock = entry.children !== undefined;
    if (BLOCKS.has(entry.key) === hasBlock) continue;
    const sentence = hasBlock
      ? 'takes no block; what stands in it is left out'
      : 'its block is missing';
    notes.add('lost', entry, sentence);
  }
}
