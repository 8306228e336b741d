/** The login page's script. The form works without it; what follows `#` in a link that logs in once does not. */

export {};
