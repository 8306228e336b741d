/**
 * keepalived itself as the judge: of the words we believe it has, of what is exported, and its package's own samples as
 * something to import. Each file in a network namespace that has its interfaces.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ip } from '../src/base/index.ts';
import { exportKeepalived, importKeepalived, parseSettings } from '../src/config/index.ts';
import { readWords, wholeFile } from './keepalived-words.ts';

const KEEPALIVED = '/usr/sbin/keepalived';
const MANUAL = '/usr/share/man/man5/keepalived.conf.5.gz';
const ITS_SAMPLES = globSync('/usr/share/doc/keepalived/samples/keepalived.conf.*');
const OUR_SAMPLES = globSync(join(import.meta.dirname, 'samples/{*.cf,keepalived/*.lvs.cf}'));
const names = { servicePort: (name: string) => ({ http: 80, ftp: 21, domain: 53 })[name] };

const skip =
  process.getuid?.() !== 0
    ? 'needs root for a network namespace'
    : existsSync(KEEPALIVED)
      ? false
      : 'keepalived is not installed';

/** Words of the manual that look like keywords: values, options of values, names in examples, other programs' words. */
const NO_KEYWORDS = `
allow_empty_class alt_bsux alt_circumflex alt_verbnames auto_callout backup_router brace_match config_id cpu_id
dollar_endonly down_delay fastopen_no_cookie garp_extra_if_vmac garp_lower_priority_repeat
igmp_link_local_mcast_reports inside_network ip_address ip_proto keepalived_bfd keepalived_check keepalived_if6
keepalived_igmp keepalived_in keepalived_ipvs keepalived_mld keepalived_out keepalived_parent keepalived_script
keepalived_vrrp main_router match_unset_backref memfd_create never_backslash_c never_ucp never_utf no_auto_capture
no_auto_possess no_dotstar_anchor no_preempt no_reverse no_start_optimize process_events proxy_arp proxy_arp_pvlan
rmem_default rto_min sched_get_priority_max script_group skew_time smtp_alerts src_addr src_ip tcp_fin track_bfds
track_scripts up_delay use_offset_limit virtual_ipaddresses virtual_iproutes virtual_router_ids
vrrp_lower_priority_dont_send_advert vrrp_nftables vrrp_sync_groups vrrp_track_script wildcard_match
`;

/** Behind machine and file come the interfaces that the file names; `-t` asks for nothing more. */
const JUDGE = `machine=$1 file=$2
shift 2
for name; do ip link add "$name" type veth; done
exec ${KEEPALIVED} -t --log-console -i "$machine" -f "$file"`;

describe('keepalived as the judge', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'piranha-export-'));
  after(() => rmSync(directory, { recursive: true }));

  function judge(text: string, machine = 'primary') {
    const file = join(directory, 'keepalived.conf');
    writeFileSync(file, text);
    const interfaces = new Set(text.match(/(?<=\b(?:dev|interface|lvs_sync_daemon) )\S+/g));
    const { status, stderr, stdout } = spawnSync(
      'unshare',
      ['-n', 'sh', '-ec', JUDGE, 'sh', machine, file, ...interfaces],
      { encoding: 'utf8', timeout: 20_000 },
    );
    return { status, words: stdout + stderr };
  }

  test('it takes the export of every sample, on both machines', () => {
    assert.ok(OUR_SAMPLES.length > 10);
    for (const sample of OUR_SAMPLES) {
      const { settings } = parseSettings(readFileSync(sample, 'utf8'), { ...names, file: sample });
      assert.ok(settings !== undefined, sample);
      const { text } = exportKeepalived(settings);
      for (const machine of ['primary', 'backup']) {
        const { status, words } = judge(text, machine);
        assert.equal(status, 0, `${sample} as ${machine}: ${words}\n${text}`);
      }
      if (text.includes('advert_int')) {
        const wrong = judge(text.replace('advert_int', 'advert_itn'));
        assert.notEqual(wrong.status, 0, 'a misspelt word would have been seen');
      }
    }
  });

  test('it knows every word of the table, where the table has it', () => {
    const words = readWords().filter(({ isCommon, lines }) => {
      // That one makes it go and look for the namespace; members of a group are no words.
      return isCommon && !lines[0]?.startsWith('net_namespace');
    });
    const blocks = new Set(words.map(({ block }) => block));
    blocks.delete('virtual_server_group');
    assert.ok(blocks.size > 10);
    for (const block of blocks) {
      const own = words.filter((word) => word.block === block).flatMap(({ lines }) => lines);
      const text = wholeFile((at) => (at === block ? [...own, 'no_such_word'].join('\n') : ''));
      const unknown = judge(text).words.match(/(?<=Unknown keyword )\S+/g);
      // The last one shows that it came so far.
      assert.deepEqual([...new Set(unknown)], ["'no_such_word'"], block);
    }
  });

  test('the table has every word of the manual', (t) => {
    if (!existsSync(MANUAL)) {
      t.skip(`${MANUAL} is missing (a system without manuals)`);
      return;
    }
    const manual = gunzipSync(readFileSync(MANUAL)).toString();
    const plain = manual.replaceAll('\\-', '-').replace(/\\f./g, ' ');
    const table = readFileSync(join(import.meta.dirname, 'samples/keepalived/words.txt'), 'utf8');
    const known = new Set([...(table.match(/[\w-]+/g) ?? []), ...NO_KEYWORDS.split(/\s/)]);
    const words = plain.match(/(?<![\w$/{<.-])(?:[a-z]+(?:_[a-z]+)+\d?|[A-Z]+_(?:CHECK|GET))\b/g);
    assert.ok((words?.length ?? 0) > 300);
    assert.deepEqual([...new Set(words)].filter((word) => !known.has(word)).toSorted(), []);
  });

  test('every sample of its package becomes an lvs.cf that can be run, or is refused in words', (t) => {
    if (ITS_SAMPLES.length === 0) {
      t.skip('/usr/share/doc/keepalived/samples is missing (a system without documents)');
      return;
    }
    let runnable = 0;
    for (const sample of ITS_SAMPLES) {
      const pair = { primary: ip('192.0.2.11'), backup: ip('192.0.2.12'), device: 'eth0' };
      const { text, notes } = importKeepalived(readFileSync(sample, 'utf8'), pair);
      const isRefused = notes.some(({ kind }) => kind === 'refused');
      assert.equal(text === undefined, isRefused, sample);
      if (text === undefined) continue;
      const { settings } = parseSettings(text, { file: 'lvs.cf' });
      assert.ok(settings !== undefined, sample);
      runnable++;
      const { status, words } = judge(exportKeepalived(settings).text);
      assert.equal(status, 0, `${basename(sample)} and back: ${words}`);
    }
    t.diagnostic(`${runnable} of ${ITS_SAMPLES.length} can be run`);
    assert.ok(runnable > ITS_SAMPLES.length / 2);
  });
});
