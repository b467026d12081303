/** Every bound of the wire, by name. Reaching one gives a named reason when decoding and a RangeError when encoding. */
export const limits = {
  /** A whole MQTT PUBLISH packet, header and topic included; the front door closes a connection that sends more. */
  maxPacketBytes: 48 * 1024,
  /** One message (prefix + body): a packet less the longest topic and its headers. */
  maxMessageBytes: 48 * 1024 - 256,
  /** A gateway cuts its chunks so that a whole message stays below this. */
  maxChunkBytes: 32 * 1024,
  /** The samples of one EEG chunk as raw integers; the rest of `maxChunkBytes` is room for the body around them. */
  maxBlockBytes: 32 * 1024 - 512,
  prefixBytes: 24,
  maxTopicBytes: 128,
  maxTopicLevels: 8,
  shards: 64,
  maxChannels: 256,
  maxIdChars: 63,
  maxReadingsPerChunk: 512,
  maxEventsPerChunk: 16,
  maxQualityItemsPerChunk: 256,
  /** Seizures that one line of an alarm names: beyond it the oldest, but not the longest, are left out. */
  maxEpisodesPerAlarm: 64,
  /** A reading measured further ahead of the receiver's clock than this has a wrong clock: see `isClockWrong`. */
  maxClockAheadUs: 10_000_000,
  maxTextBytes: 1024,
  maxNameBytes: 64,
  maxLabelBytes: 40,
  maxUnitBytes: 16,
  maxReferenceBytes: 32,
  maxCaptureIdBytes: 128,
  maxReasonBytes: 256,
  maxVersionBytes: 64,
  maxRatePart: 1_000_000_000,
  maxEveryS: 3600,
  /** Un-acknowledged chunks a gateway may have in flight, and the same bound at the front door per connection. */
  windowPackets: 64,
  windowBytes: 256 * 1024,
  /** One intake request, JSON or CBOR. */
  maxIntakeBytes: 8 * 1024 * 1024,
  /** One request of the phone export, which sends days at once. */
  maxPhoneExportBytes: 64 * 1024 * 1024,
  maxChunksPerQuery: 500,
  maxPointsPerQuery: 10_000,
  maxRowsPerQuery: 1_000,
  /** Live frames a viewer may grant in one message. */
  maxLiveCredit: 10_000,
} as const;
