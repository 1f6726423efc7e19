export { requireToolchain } from '../install/require.js';
