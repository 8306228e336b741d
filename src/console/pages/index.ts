/** The first screen: what the browser runs when somebody has logged in. */

export {};
