import { stackCatalog, type IcebergCatalog } from '../clients/iceberg.js';
import { ForgeError } from '../errors.js';
import type { StackContext } from '../workspace/context.js';

const codeOf = (error: unknown): string => (error instanceof ForgeError ? error.code : '');

/**
 * Drops something from the catalog. With Polaris the principal that may do so can be gone already: then its root user,
 * who may look and not drop, says whether there is anything left.
 */
export async function removeFromCatalog(
  stack: StackContext,
  drop: (catalog: IcebergCatalog) => Promise<unknown>,
  isThere: (catalog: IcebergCatalog) => Promise<boolean>,
): Promise<void> {
  try {
    await drop(stackCatalog(stack));
  } catch (error) {
    if (codeOf(error) === 'CATALOG_NOT_FOUND') return;
    if (stack.catalog !== 'polaris' || !['CREDENTIAL_MISSING', 'CATALOG_CREDENTIALS_REFUSED'].includes(codeOf(error))) throw error;
    const left = await isThere(stackCatalog(stack, 'root')).catch((lookError: unknown) => codeOf(lookError) !== 'CATALOG_NOT_FOUND');
    if (left) throw error;
  }
}
