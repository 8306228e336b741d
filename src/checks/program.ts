/**
 * Probes by program (send_program): run by the spawner as an unprivileged user, killed at the check's time limit.
 *
 * A program that fails or runs too long means down. The original counted it as up when `expect` was set; that was the
 * one way to be told "healthy" by a crashed test, so it is changed here, and documented.
 * Source: nanny(8), lvs.cf(5) send_program, expect.
 */
import { fromUtf8 } from '../base/index.ts';
import { type Check, down, type Procedure, UP, type Verdict } from '../model/index.ts';
import type { SpawnOutcome } from '../ports/index.ts';
import { quoted } from './dialogue.ts';
import { errorCode, type ProbeContext, type Prober, refusingProber } from './probe.ts';

type ProgramProcedure = Extract<Procedure, { readonly kind: 'program' }>;

/** nanny's buffer. */
const MAX_OUTPUT = 4095;
const NOBODY = { uid: 65534, gid: 65534 };

export function programProber(
  check: Check,
  procedure: ProgramProcedure,
  { spawner, programUser = defaultUser() }: ProbeContext,
): Prober {
  const { argv } = procedure;
  if (argv.length === 0) return refusingProber(down('bad-check', 'send_program is empty'));
  if (spawner === undefined) {
    return refusingProber(down('own-limits', 'there is no spawner to run programs'));
  }
  const request = { argv, timeoutMs: check.timeoutMs, maxOutput: MAX_OUTPUT, ...programUser };
  return (done) => {
    let isOver = false;
    const conclude = (verdict: Verdict) => {
      if (isOver) return;
      isOver = true;
      done(verdict);
    };
    const gone = spawner.run(request).then(
      (outcome) => conclude(judgeProgram(outcome, procedure.output)),
      (error: unknown) => conclude(down('own-limits', errorCode(error))),
    );
    return {
      gone,
      // The spawner kills it at the same moment by its own clock.
      abort: () => {
        isOver = true;
        return 'the end of the program';
      },
    };
  };
}

/** Only root can become somebody else; whoever else we are has no more rights than the program may have. */
function defaultUser(): ProbeContext['programUser'] {
  return process.getuid?.() === 0 ? NOBODY : undefined;
}

/** Status 0, and with `output` the same text, one newline at its end apart. */
export function judgeProgram(outcome: SpawnOutcome, output: string | undefined): Verdict {
  switch (outcome.kind) {
    case 'failed': {
      const { code, target } = outcome.error;
      const isOurs = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'EPIPE'].includes(code);
      return down(isOurs ? 'own-limits' : 'program-failed', `${target}: ${code}`);
    }
    case 'timeout':
      return down('timeout', 'the program was killed at the limit');
    case 'killed':
      return down('program-failed', `killed by signal ${outcome.signal}`);
    case 'exited': {
      const text = fromUtf8(outcome.output.subarray(0, MAX_OUTPUT)).replace(/\n$/, '');
      if (outcome.status !== 0) {
        return down('program-failed', `status ${outcome.status}, said ${quoted(text)}`);
      }
      if (output === undefined || text === output) return UP;
      return down('wrong-answer', `${quoted(text)} instead of ${quoted(output)}`);
    }
  }
}
