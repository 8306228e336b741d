/** The chunk of the Rehearse page: lvs.cf's parser, the failover core and the simulator, in the browser. */
export { RehearsePage } from './rehearse-page.tsx';
