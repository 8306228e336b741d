/** What goes into the API and what comes out: a request and its caller in, a response out; no sockets. */

export const RIGHTS = ['look', 'operate', 'change'] as const;
/** Each holds the ones before it. */
export type Right = (typeof RIGHTS)[number];

export type Caller = {
  /** For the audit: `root`, `alice (uid 1000)`; of the partner which node it is, `the primary`. */
  readonly who: string;
  /** The socket's name. */
  readonly from: string;
  readonly right: Right;
  /** `reader`: GET only. `partner`: beside GET orders, overrides, and this node's half of a change on both. */
  readonly role: 'person' | 'reader' | 'partner';
};

export type ApiRequest = {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Headers;
  /** Reads the body, once; undefined: it is longer than so many bytes. */
  readonly body: (limit: number) => Promise<string | undefined>;
};

/** Names in lower case. */
export type Headers = { readonly [name: string]: string };

export type ApiResponse = {
  readonly status: number;
  readonly headers: Headers;
  /** The whole text, or what writes it for as long as the reader stays; that gives what ends it. */
  readonly body: string | ((sink: Sink) => () => void);
};

/** Where a stream goes. */
export type Sink = {
  /** False: take a rest until `onRoom`. */
  readonly write: (text: string) => boolean;
  readonly onRoom: (listener: () => void) => void;
  /** Cuts the reader off. */
  readonly end: () => void;
};

export type Handle = (request: ApiRequest, caller: Caller) => Promise<ApiResponse>;
