/** The console: a process of its own, which people log in to, and which asks both directors for them. */
export { readyBuild } from './manifest.ts';
export { hashPassword, passwordFault } from './passwords.ts';
export {
  CONSOLE_PORT,
  DEFAULT_STATE_DIRECTORY,
  isLoopback,
  type ListenAt,
  type ProgramOptions,
  parseListen,
  runConsole,
  urlOf,
} from './program.ts';
export { isRights, RIGHTS, type Rights } from './rights.ts';
export { makeTicket, TICKET_MS } from './tickets.ts';
export { becomeOwner, CONSOLE_USER, makeStateDirectory } from './unprivileged.ts';
export { isUserName, listUsers, removeUser, saveUser, usersFile } from './users.ts';
