/** What a verb of the command line is: one entry of the table that help, completion and dispatch read. */

/** Gives the exit code. */
export type Command = (argv: readonly string[]) => Promise<number>;

export type Verb = {
  readonly name: string;
  /** One line for `piranha help`. */
  readonly summary: string;
  /** Loads the code of this verb only: `piranha status` must not wait for the simulator. */
  readonly load: () => Promise<Command>;
};

/** Exit code of a command that was called wrongly (sysexits.h EX_USAGE); names of old say 1, as pulse did. */
export const USAGE = 64;
