// Tables with aligned columns.
#ifndef RAILCNI_SRC_CLI_TABLE_H_
#define RAILCNI_SRC_CLI_TABLE_H_

#include <string>
#include <vector>

namespace railcni::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}

  // One cell for each header, shown by printable(): names come from runtimes and files, and none
  // may move the cursor. An empty cell is written as "-".
  void add_row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Header and rows, a newline behind each, without trailing spaces. Columns whose cells are all
  // numbers are aligned to the right.
  std::string to_string() const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_TABLE_H_
