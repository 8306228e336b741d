/** The chunk of the editing pages: they bring lvs.cf's parser along, which the first screen does not need. */
export { EditPages } from './edit-pages.tsx';
