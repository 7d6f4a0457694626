-- A flipped bit in a payload still reads as text; events of before have no checksum.
ALTER TABLE logs ADD COLUMN checksum INTEGER;
ALTER TABLE rows ADD COLUMN checksum INTEGER;
ALTER TABLE files ADD COLUMN checksum INTEGER;
