/** The console's process: what `piranha console` becomes. Bundled into one file, so that it runs without a compiler. */

export {};
