import { ForgeError, messageOf } from '../../../errors.js';
import { openCredentials } from '../../../workspace/credentials.js';
import type { Check, Place, Trouble } from '../../check.js';

/** Every file that is there; what is missing is another check's. */
export const credentialsDamaged: Check<Place> = {
  id: 'credentials-damaged',
  group: 'workspace',
  title: 'Every credential that is there can be used',
  look({ workspace }): Promise<Trouble[]> {
    const credentials = openCredentials(workspace);
    return Promise.resolve(
      credentials.names().flatMap((name): Trouble[] => {
        try {
          credentials.read(name);
          return [];
        } catch (error) {
          if (!(error instanceof ForgeError)) throw error;
          return [
            {
              title: `The credential ${name} cannot be ${error.code === 'CREDENTIAL_REFUSED' ? 'used' : 'read'}`,
              cause: messageOf(error),
              remedy: `Restore ${credentials.file(name)} from a backup; or move it away and run \`forge up\`, which makes a new one where the server allows it`,
            },
          ];
        }
      }),
    );
  },
};
