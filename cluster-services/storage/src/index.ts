export { parseDatabase } from './commit/database.ts';
export { StorageError, storageErrors } from './errors.ts';
export { migrateReadings, migrateRegistry } from './schema/migrate.ts';
export { type OpenDatabase, openReadings, openRegistry } from './schema/open-database.ts';
export { StorageConfig } from './service/config.ts';
export { createStorage, type Storage } from './service/storage.ts';
