-- A source that did not change need not be looked into again, as long as the same readers would do so.

ALTER TABLE migrations
-- Which readers looked into the source when it was listed last.
ADD COLUMN listed_with text;
